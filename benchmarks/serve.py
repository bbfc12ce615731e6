#!/usr/bin/env python3
"""blockspan serve under load, on this machine.

    python3 benchmarks/serve.py [--blockspan target/release/blockspan] [--tokens 150] [--seconds 20] [--minutes 10]
        [--requests 100000] [--bad 1000] [--swaps 200] [--json FILE] [--quick]

Prints questions a second beside what `blockspan bench --sessions` computes for the same length (or, without that option,
one session times the number of sessions); p50 and p99 at half that load; the memory over --minutes of full load; how many
of --requests answers are those of `blockspan ask --json`; p99 of a client while --bad clients of each kind misbehave; and
how many requests fail while --swaps models are put to work. Standard library only; all traffic stays on the loopback
address; every loop ends by itself. --quick takes a minute and shows only that all of it works.

Run it on a machine that does nothing else. The clients run on the same cores and take some of their time.
"""

import argparse
import atexit
import json
import multiprocessing
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import http_load

ROOT = Path(__file__).resolve().parent.parent


class Server:
    """A running server."""

    def __init__(self, blockspan: str, log: Path, *options: str) -> None:
        self.log = log
        arguments = [blockspan, "serve", "--listen", "127.0.0.1:0", "--log-level", "info", *options]
        with log.open("w") as stderr:
            self.process = subprocess.Popen(arguments, stderr=stderr)
        # It never outlives the measurement, however that ends.
        atexit.register(self.process.kill)
        end = time.monotonic() + 30
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())):
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"the server does not start: {log.read_text()}")
            time.sleep(0.05)
        self.port = int(found[1])

    def metric(self, name: str) -> float:
        """The value of a series."""
        text = http_load.get(self.port, "/metrics").decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def stop(self) -> None:
        """Ends it as an operator would, and demands that it ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()


def passages(blockspan: str, tokens: int) -> list[tuple[str, str]]:
    """Questions and passages that have `tokens` tokens together with the three special ones."""
    data = json.loads((ROOT / "fixtures/questions.json").read_text())
    paragraphs = [paragraph for article in data["data"] for paragraph in article["paragraphs"]]
    text = " ".join(" ".join(paragraph["context"].split()) for paragraph in paragraphs)
    questions = [qa["question"] for paragraph in paragraphs for qa in paragraph["qas"]]

    def offsets(lines: list[str]) -> list[list[list[int]]]:
        run = subprocess.run([blockspan, "tokenize"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
        return [json.loads(line)["offsets"] for line in run.stdout.splitlines()]

    places = offsets([text])[0]
    raw = text.encode()
    found = []
    for number, (question, own) in enumerate(zip(questions, offsets(questions))):
        length = tokens - 3 - len(own)
        first = number * 37 % (len(places) - length)
        cut = raw[places[first][0] : places[first + length - 1][1]]
        found.append((question, cut.decode(errors="ignore")))
    return found


def expected(blockspan: str, pairs: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Each question as a request, and what `ask --json` prints for it."""
    found = []
    for question, context in pairs:
        run = subprocess.run([blockspan, "ask", "--json", question, "--context", context], capture_output=True, check=True)
        found.append((http_load.request("/v1/answer", {"question": question, "context": context}), run.stdout))
    return found


def computed_per_second(blockspan: str, tokens: int, sessions: int) -> tuple[float, str]:
    """What the machine computes without a server, and how that was measured."""
    base = [blockspan, "bench", "--json", "--tokens", str(tokens), "--repeat", "50"]
    run = subprocess.run([*base, "--threads", "1", "--sessions", str(sessions)], capture_output=True, text=True)
    if run.returncode == 0:
        return json.loads(run.stdout)["throughput"][0]["per_second"], "bench --sessions"
    run = subprocess.run([*base, "--threads", "1"], capture_output=True, text=True, check=True)
    return sessions * 1000 / json.loads(run.stdout)["runs"][0]["median_ms"], f"{sessions} x one session"


def p(times: list[float], percent: float) -> float:
    """A percentile, in milliseconds."""
    return 1000 * sorted(times)[min(len(times) - 1, int(len(times) * percent / 100))]


def under_load(server: Server, pairs: list, connections: int, count: int, seconds: float, meanwhile) -> tuple:
    """Runs closed loops in a process of their own, and `meanwhile` here; returns what came of both."""
    with multiprocessing.Pool(1) as pool:
        load = pool.apply_async(http_load.closed_loop, (server.port, pairs, connections, count, seconds))
        result = meanwhile(load)
        return load.get(seconds + 120), result


def memory(server: Server, load) -> list[float]:
    """Megabytes, twice a second until the load ends."""
    samples = []
    while not load.ready():
        samples.append(server.megabytes())
        load.wait(0.5)
    return samples


def swap(server: Server, swaps: int, load) -> int:
    """Puts models to work, one after the other; returns how many."""
    for number in range(1, swaps + 1):
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while server.metric("blockspan_model_swaps_total") < number and time.monotonic() < end:
            time.sleep(0.01)
        if load.ready():
            return number
    return swaps


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blockspan", default=str(ROOT / "target/release/blockspan"))
    parser.add_argument("--model", default=str(ROOT / "fixtures/default.bspan"))
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=20, help="of each step that measures speed")
    parser.add_argument("--minutes", type=float, default=10, help="of the watch on the memory")
    parser.add_argument("--requests", type=int, default=100_000, help="answers that are compared with those of ask")
    parser.add_argument("--bad", type=int, default=1000, help="clients of each kind that misbehave")
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--mode", default="throughput", choices=["throughput", "latency"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.minutes, args.requests, args.bad, args.swaps = 2, 0.05, 300, 20, 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    http_load.allow_many_sockets()
    report: dict[str, object] = {"tokens": args.tokens, "mode": args.mode}

    def say(name: str, text: str, **figures: object) -> None:
        report[name] = figures
        print(f"{name:<10} {text}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.bspan")
        shutil.copyfile(args.model, model)
        server = Server(args.blockspan, Path(folder, "log"), "--model", str(model), "--mode", args.mode)
        info = json.loads(http_load.get(server.port, "/info"))
        sessions = info["machine"]["sessions"] * info["machine"]["threads_per_session"]
        pairs = expected(args.blockspan, passages(args.blockspan, args.tokens))
        report["machine"] = info["machine"]
        connections = 4 * sessions

        bench, how = computed_per_second(args.blockspan, args.tokens, sessions)
        tally = http_load.closed_loop(server.port, pairs, connections, sys.maxsize, args.seconds)
        rate = tally.per_second
        say("sustained", f"{rate:.1f} questions/s, {100 * rate / bench:.0f} % of {bench:.1f} ({how})", per_second=rate, bench=bench, how=how)

        times = http_load.open_loop(server.port, pairs, rate / 2, args.seconds)
        say("half load", f"p50 {p(times, 50):.1f} ms, p99 {p(times, 99):.1f} ms, {len(times)} questions", p50_ms=p(times, 50), p99_ms=p(times, 99))

        tally, samples = under_load(server, pairs, connections, sys.maxsize, 60 * args.minutes, lambda load: memory(server, load))
        begin = statistics.median(samples[: max(1, len(samples) // 10)])
        end = statistics.median(samples[-max(1, len(samples) // 10) :])
        text = f"{begin:.1f} MB at first, {end:.1f} MB at last, {max(samples):.1f} MB at most, {args.minutes:g} minutes"
        say("memory", text, first_mb=begin, last_mb=end, most_mb=max(samples), questions=tally.right)

        tally = http_load.closed_loop(server.port, pairs, connections, args.requests, 60 * 60)
        lost = args.requests - tally.right - tally.wrong - tally.refused - sum(tally.other.values())
        text = f"{tally.right} of {args.requests} equal ask, {tally.wrong} do not, {lost} lost, {tally.refused} refused, others {tally.other}"
        say("checked", text, right=tally.right, wrong=tally.wrong, lost=lost, refused=tally.refused)

        quiet = p(http_load.open_loop(server.port, pairs, rate / 2, args.seconds), 99)
        for kind in ["slow", "half-open", "garbage", "huge"]:
            with multiprocessing.Pool(1) as pool:
                limit = 10 * args.seconds
                bad = pool.apply_async(http_load.misbehave, (server.port, kind, args.bad, min(args.bad, 250), limit))
                times = []
                while not bad.ready() or not times:
                    times += http_load.open_loop(server.port, pairs, rate / 2, min(args.seconds, 4))
                count = bad.get(limit + 60)
            text = f"p99 {p(times, 99):.1f} ms beside {count} {kind} clients, {p(times, 99) / quiet:.2f} x {quiet:.1f} ms without"
            say(kind, text, clients=count, p99_ms=p(times, 99), quiet_p99_ms=quiet)

        # As long as the swaps take, at most a quarter of an hour.
        tally, swaps = under_load(server, pairs, connections, 60 * args.swaps, 15 * 60, lambda load: swap(server, args.swaps, load))
        failed = tally.wrong + tally.refused + sum(tally.other.values())
        text = f"{swaps} under load, {failed} of {tally.right + failed} requests failed"
        say("swaps", text, swaps=swaps, failed=failed, requests=tally.right + failed)
        server.stop()
    if args.json:
        partial = args.json.with_suffix(".partial")
        partial.write_text(json.dumps(report, indent=1) + "\n")
        os.replace(partial, args.json)
    wrong = report["checked"]["wrong"] + report["checked"]["lost"] + report["swaps"]["failed"]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
