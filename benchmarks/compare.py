#!/usr/bin/env python3
"""blockspan beside its peers, in one run on this machine.

    python3 benchmarks/compare.py --work-dir DIR [--shape large|minilm] [--tokens 48,128,384] [--threads 1,2]
        [--rounds 3] [--repeat 7] [--peers NAME ...] [--accept-deepsparse-license] [--prepare]
        [--json FILE] [--plot FILE.svg]

Installs the peers at fixed versions into DIR, makes the model (fixtures/make_large.py) and every form of it that a
peer wants, packs it, and times all of them at each length and number of threads: batch 1, no padding. Each round
starts every one anew, in turn, and every other round in reverse order. What is in DIR already is used again, so a
second run starts at once; --prepare ends before the first round. A peer that cannot be installed or run is named and
left out. Needs Python 3.11, cargo, 15 GB of disk and 6 GB of memory.

The table has minima and medians over all rounds and the ratios of both to blockspan's. The ratio of minima is the one
to state: a disturbance makes times longer, never shorter. If the medians of blockspan's own rounds lie more than 10 %
apart, the machine was not quiet: the table says so, no picture is drawn, and the exit status is 3.

DeepSparse is closed software for evaluation only and is installed with --accept-deepsparse-license alone; read its
license first (Neural Magic DeepSparse Community License).
"""

import argparse
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import venv
from pathlib import Path

import plot
from peers import PEERS, fixed_tokens

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RTEN_VERSION = "0.27.0"
OURS = "blockspan"
LOGITS = ["--release", "--locked", "-p", "blockspan-engine", "--features", "std", "--example", "logits"]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# How far apart the medians of blockspan's rounds may lie in a run that counts.
QUIET = 0.10


class Failed(Exception):
    """Why a step came to nothing, in a line."""


def run(command: list, **options) -> str:
    """What a command prints on standard output."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Failed(f"{Path(command[0]).name}: {lines[-1]}")
    return done.stdout


class Bench:
    """One work directory: environments, models, and what they run."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.work = args, args.work_dir.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.hf = args.hf.resolve() if args.hf else self.work / f"{args.shape}-standin"
        self.packed = self.work / f"{self.hf.name}.bspan"
        self.rten = self.work / "rten" / "bin" / "rten"
        self.blockspan = args.blockspan

    # ------------------------------------------------------------------------------------------- preparation

    def python(self, environment: str) -> Path:
        """The interpreter of an environment, which is made if it is not there."""
        folder = self.work / f"{environment}-env"
        python, stamp = folder / "bin" / "python", folder / "complete"
        requirements = HERE / {"peers": "requirements.txt", "deepsparse": "requirements-deepsparse.txt"}[environment]
        wanted = requirements.read_text()
        if not stamp.exists() or stamp.read_text() != wanted:
            say(f"installing {requirements.name} into {folder}")
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            run([python, "-m", "pip", "install", "--quiet", "-r", requirements])
            stamp.write_text(wanted)
        return python

    def install_rten(self) -> None:
        if not self.rten.exists():
            say(f"building rten {RTEN_VERSION}")
            root = self.work / "rten"
            run(["cargo", "install", "rten-cli", "--version", RTEN_VERSION, "--locked", "--root", root], cwd=self.work)

    def make_model(self) -> None:
        if self.hf.is_dir():
            return
        say(f"making {self.hf}")
        new = self.work / f"new-{self.hf.name}"
        run([self.python("peers"), ROOT / "fixtures" / "make_large.py", "--out", new, "--shape", self.args.shape])
        new.rename(self.hf)

    def build(self) -> None:
        """The command, and the packed model in the format that it reads."""
        if not self.blockspan:
            say("building blockspan")
            run(["cargo", "build", "--release", "--locked", "-p", "blockspan"], cwd=ROOT)
            run(["cargo", "build", *LOGITS], cwd=ROOT)
            self.blockspan = self.target() / "blockspan"
        try:
            run([self.blockspan, "inspect", self.packed])
        except Failed:
            say(f"packing {self.packed}")
            run(["cargo", "build", "--release", "--locked", "-p", "blockspan-trainer"], cwd=ROOT)
            run([self.target() / "blockspan-trainer", "pack", "--model", self.hf, "--out", self.packed])

    @staticmethod
    def target() -> Path:
        return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"

    def models(self, tokens: int) -> Path:
        """Where the peers' forms of the model for this length are."""
        return self.work / f"{self.hf.name}-{tokens}"

    def command(self, action: str, peer: str, tokens: int, *more) -> list:
        python = self.python(environment(peer))
        places = ["--hf", self.hf, "--models", self.models(tokens), "--tokens", tokens, "--rten", self.rten]
        return [python, "-W", "ignore", HERE / "peers.py", action, peer, *places, *more]

    def prepare(self, peer: str) -> None:
        """Everything that `time` needs but the time."""
        if peer.startswith("rten"):
            self.install_rten()
        file = PEERS[peer][0]
        for tokens in self.args.tokens:
            if file and not (self.models(tokens) / file).exists():
                say(f"making {file} of {tokens} tokens for {peer}")
                # DeepSparse's environment runs models, the peers' makes them.
                run([self.python("peers"), *self.command("make", peer, tokens)[1:]])
        self.python(environment(peer))

    # ------------------------------------------------------------------------------------------- measurement

    def time(self, name: str, tokens: int, threads: int) -> dict:
        repeat = self.args.repeat
        if name != OURS:
            out = run(self.command("run", name, tokens, "--threads", threads, "--repeat", repeat))
            return json.loads(out.splitlines()[-1])
        more = ["--tokens", tokens, "--threads", threads, "--repeat", repeat, "--json"]
        report = json.loads(run([self.blockspan, "bench", "--model", self.packed, *more]))
        return {"times_ms": report["runs"][0]["times_ms"], "logits": self.logits(tokens), "report": report}

    def logits(self, tokens: int) -> list | None:
        """blockspan's for the peers' input, if the example was built beside the command."""
        example = self.blockspan.parent / "examples" / "logits"
        if not example.exists():
            return None
        line = " ".join(f"{token}:{segment}" for token, segment in zip(*fixed_tokens(tokens)))
        return [float(word) for word in run([example, self.packed], input=line + "\n").split()]


def environment(peer: str) -> str:
    return "deepsparse" if peer.startswith("DeepSparse") else "peers"


def distance(logits: list, reference: list) -> float:
    """Root mean square of the difference, as a share of the standard deviation of the reference's start or end
    logits."""
    half, parts = len(reference) // 2, []
    for part in (slice(half), slice(half, None)):
        error = statistics.fmean((x - y) ** 2 for x, y in zip(logits[part], reference[part], strict=True))
        parts.append(error / statistics.pvariance(reference[part]))
    return statistics.fmean(parts) ** 0.5


def machine() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    family = f"family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}"
    return f"{fields.get('model name', platform.processor())} ({family}), {os.cpu_count()} cores"


def measure(bench: Bench, names: list[str], tokens: int, threads: int) -> dict:
    """The rounds of one length and number of threads; a peer that fails is left out from there on."""
    rounds, logits, left_out, ours = {name: [] for name in names}, {}, {}, None
    for number in range(bench.args.rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            if name in left_out:
                continue
            try:
                result = bench.time(name, tokens, threads)
            except Failed as failure:
                left_out[name] = str(failure)
                say(f"left out: {name}: {failure}")
                continue
            rounds[name].append(result["times_ms"])
            ours = result.get("report", ours)
            if result.get("logits"):
                logits[name] = result["logits"]
            median = statistics.median(result["times_ms"])
            say(f"{tokens} tokens, {count(threads)}, round {number + 1}/{bench.args.rounds}: {name}: {median:.2f} ms")
    reference = logits.get("PyTorch f32")
    rows = []
    for name in names:
        if name not in left_out and rounds[name]:
            error = distance(logits[name], reference) if reference and name in logits else None
            rows.append(row(name, rounds[name]) | {"logits_error": error})
    rows.sort(key=lambda row: row["min_ms"])
    own = next((row for row in rows if row["name"] == OURS), None)
    return {
        "tokens": tokens,
        "threads": threads,
        "rows": rows,
        "left_out": left_out,
        "quiet": own is not None and own["spread"] <= QUIET,
        "floor": floor(ours, threads) if ours else None,
        "blockspan": ours,
    }


def row(name: str, rounds: list[list[float]]) -> dict:
    """What the rounds of one engine come to."""
    times, medians = list(itertools.chain(*rounds)), [statistics.median(times) for times in rounds]
    return {
        "name": name,
        "median_ms": statistics.median(times),
        "min_ms": min(times),
        # How far apart the rounds lie.
        "spread": max(medians) / min(medians) - 1,
        "rounds_ms": rounds,
    }


def count(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def table(result: dict) -> str:
    """All cases, for people."""
    lines = [f"{result['machine']}; {result['title']}", ""]
    heads = ["tokens", "threads", "", "minimum, ms", "times blockspan", "median, ms", "times blockspan"]
    heads += ["rounds differ by", "logits' error"]
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for case in result["cases"]:
        own = next((row for row in case["rows"] if row["name"] == OURS), None)
        for row in case["rows"]:
            least, middle = (f"{row[key] / own[key]:.2f}" if own else "" for key in ("min_ms", "median_ms"))
            error = "" if row["logits_error"] is None else f"{100 * row['logits_error']:.1f} %"
            times = f"{row['min_ms']:.2f} | {least} | {row['median_ms']:.2f} | {middle}"
            place = f"{case['tokens']} | {case['threads']}"
            lines.append(f"| {place} | {row['name']} | {times} | {100 * row['spread']:.0f} % | {error} |")
    lines.append("")
    for case in result["cases"]:
        place = f"{case['tokens']} tokens, {count(case['threads'])}"
        own = next((row for row in case["rows"] if row["name"] == OURS), None)
        if own and case["floor"]:
            floor = case["floor"]
            lines.append(
                f"{place}: arithmetic floor {floor['ms']:.2f} ms ({floor['gmac']:.2f} GMAC at {floor['threads']} × "
                f"{floor['peak']:.0f} GMAC/s); blockspan takes {own['min_ms'] / floor['ms']:.2f} times that at least, "
                f"{own['median_ms'] / floor['ms']:.2f} times by the median"
            )
        if own and not case["quiet"]:
            lines.append(
                f"{place}: NOT QUIET: the medians of blockspan's rounds lie {100 * own['spread']:.0f} % apart, more than "
                f"{100 * QUIET:.0f} %; throw this run away"
            )
        lines += [f"{place}: left out: {name}: {why}" for name, why in case["left_out"].items()]
    lines += [f"left out: {name}: {why}" for name, why in result["left_out"].items()]
    return "\n".join(lines)


def floor(report: dict, threads: int) -> dict | None:
    """The time that the multiplications alone would take at the peak of `vpdpbusd` (or the like) in registers, which
    `bench` measures anew for each case."""
    ms = report["runs"][0]["floor_ms"]
    if ms is None:
        return None
    gmac = report["work"][0]["sparse_gmac"] + report["work"][0]["attention_gmac"]
    return {"gmac": gmac, "peak": 1e3 * gmac / (ms * threads), "threads": threads, "ms": ms}


def numbers(text: str) -> list[int]:
    """Whole numbers above 0, with commas between them."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give whole numbers with commas between them, for example 128,384")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True, help="for environments and models; kept")
    parser.add_argument("--shape", default="large", choices=["large", "minilm"])
    parser.add_argument("--hf", type=Path, help="a model directory of your own in place of the stand-in")
    parser.add_argument("--tokens", type=numbers, default=[384], help="one length or several: 48,128,384")
    parser.add_argument("--threads", type=numbers, default=[os.cpu_count()], help="one number or several: 1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=7, help="passes of each in a round")
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="NAME", help=", ".join(PEERS))
    parser.add_argument("--blockspan", type=Path, help="the command, if it is not to be built")
    parser.add_argument("--accept-deepsparse-license", "--accept-deepsparse-licence", action="store_true")
    parser.add_argument("--prepare", action="store_true", help="install and make everything, time nothing")
    parser.add_argument("--json", type=Path, help="write all times here")
    parser.add_argument("--plot", type=Path, help="write a picture here (SVG)")
    args = parser.parse_args()

    bench = Bench(args)
    wanted = args.peers or list(PEERS)
    left_out = {}
    if not args.accept_deepsparse_license:
        refused = [name for name in wanted if environment(name) == "deepsparse"]
        left_out = {name: "its license was not accepted (--accept-deepsparse-license)" for name in refused}
    try:
        bench.make_model()
        bench.build()
    except Failed as failure:
        say(f"error: {failure}")
        return 2
    names = [OURS]
    for name in wanted:
        if name in left_out:
            continue
        try:
            bench.prepare(name)
            names.append(name)
        except Failed as failure:
            left_out[name] = str(failure)
            say(f"left out: {name}: {failure}")
    if args.prepare:
        return 0

    cases = itertools.product(args.tokens, args.threads)
    model = bench.hf.name if args.hf else {"large": "BERT-Large", "minilm": "MiniLM-L6"}[args.shape]
    result = {
        "machine": machine(),
        "title": f"{model}, 80 % block-sparse, batch 1",
        "left_out": left_out,
        "cases": [measure(bench, names, tokens, threads) for tokens, threads in cases],
    }
    quiet = all(case["quiet"] for case in result["cases"])
    print(table(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    if args.plot and quiet:
        args.plot.write_text(plot.svg(result, OURS))
    elif args.plot:
        say(f"{args.plot}: not drawn, since the machine was not quiet")
    return 0 if quiet else 3


if __name__ == "__main__":
    sys.exit(main())
