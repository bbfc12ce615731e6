#!/usr/bin/env python3
"""blockspan serve under load, on this machine: every figure that its documentation promises, in one run.

    python3 benchmarks/serve.py [--blockspan target/release/blockspan] [--json FILE] [--quick]
        [--mode both] [--tokens 150] [--seconds 30] [--minutes 10] [--requests 100000] [--bad 1000] [--swaps 200]

Takes half an hour on two cores. Prints, for both modes, questions a second beside what `blockspan bench` computes for the
same length, p50 and p99 at half that load, and the time of one client alone; then, for the first mode, the memory over
--minutes of full load, how many of --requests answers are those of `blockspan ask --json`, the p99 of a client while --bad
clients of each kind misbehave, and how many requests fail while --swaps models are put to work. Each bar is passed or
missed; the exit status is 1 if one was missed. Standard library only; all traffic stays on the loopback address; every loop
ends by itself. --quick takes two minutes and shows only that all of it works.

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
CONTEXT = multiprocessing.get_context("fork")


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
        self.info = json.loads(http_load.get(self.port, "/info"))
        self.threads = self.info["machine"]["sessions"] * self.info["machine"]["threads_per_session"]

    def metric(self, name: str) -> float:
        """The value of a series."""
        text = http_load.get(self.port, "/metrics").decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def http_seconds(self) -> float:
        """Processor time of the threads that speak HTTP."""
        total = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().startswith("blockspan-http"):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def stop(self) -> None:
        """Ends it as an operator would, and demands that it ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()


class Beside:
    """A function in a process of its own, which gets `stop` as its last argument."""

    def __init__(self, function, *arguments) -> None:
        self.stop = CONTEXT.Event()
        self.result, end = CONTEXT.Pipe(duplex=False)
        run = lambda: end.send(function(*arguments, self.stop))  # noqa: E731
        self.process = CONTEXT.Process(target=run, daemon=True)
        self.process.start()

    def alive(self) -> bool:
        """Whether it has not ended by itself."""
        return self.process.is_alive() and not self.result.poll()

    def end(self, seconds: float = 300):
        """Stops it; what it returns."""
        self.stop.set()
        if not self.result.poll(seconds):
            sys.exit("a client does not come to its end")
        return self.result.recv()


class Report:
    """What was found, for people and for programs."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.values: dict = {"tokens": args.tokens, "quick": args.quick, "figures": {}, "bars": []}

    def say(self, name: str, text: str, **figures: object) -> None:
        """Figures, and a line about them."""
        self.values["figures"][name] = figures
        print(f"{name:<22} {text}", flush=True)

    def bar(self, name: str, passed: bool, text: str, speed: bool = False) -> None:
        """A bar; `speed` if a short look says nothing of it."""
        # Of numpy's kind or not, JSON wants its own.
        self.values["bars"].append({"name": name, "passed": bool(passed), "text": text, "speed": speed})

    def end(self, path: Path | None) -> int:
        """Prints the bars; returns the exit status."""
        print()
        for bar in self.values["bars"]:
            print(f"{'pass' if bar['passed'] else 'MISS'}  {bar['name']}: {bar['text']}")
        quick = self.values["quick"]
        missed = [bar for bar in self.values["bars"] if not bar["passed"] and not (quick and bar["speed"])]
        if quick:
            print("a short look: figures of speed and memory say nothing, and do not count")
        if path:
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(self.values, indent=1) + "\n")
            os.replace(partial, path)
        return 1 if missed else 0


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
        if length < 1:
            continue
        first = number * 37 % (len(places) - length)
        cut = raw[places[first][0] : places[first + length - 1][1]]
        found.append((question, cut.decode(errors="ignore")))
    return found


def expected(blockspan: str, tokens: int) -> list[tuple[bytes, bytes]]:
    """Questions about passages of that length: each as a request, and what `ask --json` prints for it."""
    found = []
    for question, context in passages(blockspan, tokens):
        run = subprocess.run([blockspan, "ask", "--json", question, "--context", context], capture_output=True, check=True)
        found.append((http_load.request("/v1/answer", {"question": question, "context": context}), run.stdout))
    return found


def computed_per_second(blockspan: str, tokens: int, mode: str, threads: int) -> tuple[float, str]:
    """What the machine computes without a server, and how that was measured."""
    base = [blockspan, "bench", "--json", "--tokens", str(tokens), "--repeat", "50"]
    if mode == "throughput":
        run = subprocess.run([*base, "--threads", "1", "--sessions", str(threads)], capture_output=True, check=True)
        return json.loads(run.stdout)["throughput"][0]["per_second"], f"bench --sessions {threads}"
    run = subprocess.run([*base, "--threads", str(threads)], capture_output=True, check=True)
    return 1000 / json.loads(run.stdout)["runs"][0]["median_ms"], f"bench --threads {threads}"


def p(times: list[float], percent: float) -> float:
    """A percentile, in milliseconds."""
    return 1000 * sorted(times)[min(len(times) - 1, int(len(times) * percent / 100))]


def speed(args: argparse.Namespace, server: Server, mode: str, pairs: list, report: Report) -> float:
    """Questions a second under full load, and the times at half that; returns the former."""
    connections = 4 * server.threads
    rates, computed = [], []
    # In turns: a machine that slows down does so for both.
    for _ in range(2):
        one, how = computed_per_second(args.blockspan, args.tokens, mode, server.threads)
        computed.append(one)
        rates.append(http_load.closed_loop(server.port, pairs, connections, sys.maxsize, args.seconds).per_second)
    rate, bench = statistics.mean(rates), statistics.mean(computed)
    text = f"{rate:.1f} questions/s, {100 * rate / bench:.0f} % of {bench:.1f} ({how})"
    report.say(f"{mode}: sustained", text, per_second=rate, runs=rates, bench=bench, bench_runs=computed, how=how)
    if mode == "throughput":
        report.bar("sustained", rate >= 0.9 * bench, f"{100 * rate / bench:.0f} % of {how}, at least 90 %", speed=True)
    times = http_load.open_loop(server.port, pairs, rate / 2, 2 * args.seconds)
    text = f"p50 {p(times, 50):.1f} ms, p99 {p(times, 99):.1f} ms, {len(times)} questions at {rate / 2:.1f}/s"
    report.say(f"{mode}: half load", text, p50_ms=p(times, 50), p99_ms=p(times, 99), questions=len(times))
    client = http_load.Client(server.port)
    alone, end = [], time.perf_counter() + args.seconds / 3
    while time.perf_counter() < end:
        begin = time.perf_counter()
        client.ask(pairs[len(alone) % len(pairs)][0])
        alone.append(time.perf_counter() - begin)
    text = f"p50 {p(alone, 50):.1f} ms, p99 {p(alone, 99):.1f} ms"
    report.say(f"{mode}: one client", text, p50_ms=p(alone, 50), p99_ms=p(alone, 99))
    return rate


def memory(args: argparse.Namespace, server: Server, pairs: list, report: Report) -> http_load.Tally:
    """Resident memory while the server has all that it can do; returns what it answered."""
    load = Beside(http_load.closed_loop, server.port, pairs, 4 * server.threads, sys.maxsize, 60 * args.minutes)
    samples = []
    while load.alive():
        samples.append(server.megabytes())
        time.sleep(0.5)
    tally = load.end()
    tenth = max(1, len(samples) // 10)
    first, last = statistics.median(samples[:tenth]), statistics.median(samples[-tenth:])
    text = f"{first:.1f} MB at first, {last:.1f} MB at last, {max(samples):.1f} MB at most, {args.minutes:g} minutes"
    report.say("memory", text, first_mb=first, last_mb=last, most_mb=max(samples), minutes=args.minutes)
    report.bar("memory", last <= 1.05 * first, f"{100 * (last / first - 1):+.1f} % from the first tenth to the last", speed=True)
    return tally


def checked(args: argparse.Namespace, server: Server, before: http_load.Tally, report: Report) -> None:
    """Answers compared with those of `ask`: those of the watch on the memory, then short ones on many connections."""
    count = max(args.requests - before.right, args.requests // 10)
    short = expected(args.blockspan, 32)
    tally = http_load.closed_loop(server.port, short, 32 * server.threads, count, 60 * 60)
    lost = count - tally.right - tally.wrong - tally.refused - sum(tally.other.values())
    for code, number in before.other.items():
        tally.other[code] = tally.other.get(code, 0) + number
    right, wrong, refused = before.right + tally.right, before.wrong + tally.wrong, before.refused + tally.refused
    text = f"{right} answers equal ask, {wrong} do not, {lost} lost, {refused} refused, others {tally.other}"
    report.say("checked", text, right=right, wrong=wrong, lost=lost, refused=refused, other=tally.other)
    passed = right >= args.requests and not (wrong or lost or refused or tally.other)
    report.bar("checked", passed, f"{right} of at least {args.requests} equal ask, {wrong} wrong, {lost} lost")


def hostile(args: argparse.Namespace, server: Server, pairs: list, rate: float, report: Report) -> None:
    """The same questions at the same moments, with and without clients that misbehave."""
    quiet: list[float] = []
    found = []
    seconds = 1.5 * args.seconds
    for kind in http_load.KINDS:
        spent = [server.http_seconds()]
        quiet += http_load.open_loop(server.port, pairs, rate / 2, seconds, seed=7)
        spent.append(server.http_seconds())
        bad = Beside(http_load.misbehave, server.port, kind, args.bad, seconds)
        times = http_load.open_loop(server.port, pairs, rate / 2, seconds, seed=7)
        spent.append(server.http_seconds())
        found.append((kind, times, bad.end(), [(end - begin) / seconds for begin, end in zip(spent, spent[1:])]))
    base = p(quiet, 99)
    report.say("quiet", f"p99 {base:.1f} ms, {len(quiet)} questions", p50_ms=p(quiet, 50), p99_ms=base, questions=len(quiet))
    for kind, times, count, (before, beside) in found:
        ratio = p(times, 99) / base
        text = f"p99 {p(times, 99):.1f} ms beside {count} {kind} clients, {ratio:.2f} times that without; HTTP threads "
        text += f"{100 * beside:.1f} % of a core in place of {100 * before:.1f} %"
        report.say(kind, text, clients=count, p50_ms=p(times, 50), p99_ms=p(times, 99), http_share=beside, questions=len(times))
        passed = ratio <= 2 and count >= args.bad
        report.bar(f"{kind} clients", passed, f"p99 {ratio:.2f} times that without, at most 2, {count} clients", speed=True)


def swap(args: argparse.Namespace, server: Server, pairs: list, report: Report) -> None:
    """Puts models to work, one after the other, under full load."""
    load = Beside(http_load.closed_loop, server.port, pairs, 4 * server.threads, sys.maxsize, 15 * 60)
    before = server.metric("blockspan_model_swaps_total")
    swaps = 0
    while swaps < args.swaps and load.alive():
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while server.metric("blockspan_model_swaps_total") - before <= swaps and time.monotonic() < end:
            time.sleep(0.01)
        swaps = int(server.metric("blockspan_model_swaps_total") - before)
        if time.monotonic() >= end:
            break
    tally = load.end()
    failed = tally.wrong + tally.refused + sum(tally.other.values())
    text = f"{swaps} under load, {failed} of {tally.right + failed} requests failed"
    report.say("swaps", text, swaps=swaps, failed=failed, requests=tally.right + failed)
    report.bar("swaps", swaps >= args.swaps and not failed, text)


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blockspan", default=str(ROOT / "target/release/blockspan"))
    parser.add_argument("--model", default=str(ROOT / "fixtures/default.bspan"))
    parser.add_argument("--tokens", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=30, help="of a step that measures speed")
    parser.add_argument("--minutes", type=float, default=10, help="of the watch on the memory")
    parser.add_argument("--requests", type=int, default=100_000, help="answers that are compared with those of ask")
    parser.add_argument("--bad", type=int, default=1000, help="clients of each kind that misbehave")
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--mode", default="both", choices=["both", "throughput", "latency"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.minutes, args.requests, args.bad, args.swaps = 3, 0.1, 500, 100, 5
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    http_load.allow_many_sockets()
    report = Report(args)
    modes = ["throughput", "latency"] if args.mode == "both" else [args.mode]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.bspan")
        shutil.copyfile(args.model, model)
        pairs = expected(args.blockspan, args.tokens)
        for mode in modes:
            server = Server(args.blockspan, Path(folder, mode), "--model", str(model), "--mode", mode)
            report.values.setdefault("machine", server.info["machine"])
            rate = speed(args, server, mode, pairs, report)
            if mode == modes[0]:
                tally = memory(args, server, pairs, report)
                checked(args, server, tally, report)
                hostile(args, server, pairs, rate, report)
                swap(args, server, pairs, report)
            server.stop()
    sys.exit(report.end(args.json))


if __name__ == "__main__":
    main()
