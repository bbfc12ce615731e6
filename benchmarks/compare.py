#!/usr/bin/env python3
"""blockspan beside its peers, in one run on this machine.

    python3 benchmarks/compare.py --work-dir DIR [--shape large|minilm] [--tokens 384] [--threads 2]
        [--rounds 3] [--repeat 7] [--peers NAME ...] [--accept-deepsparse-license] [--prepare]
        [--json FILE] [--plot FILE.svg]

Installs the peers at fixed versions into DIR, makes the model (fixtures/make_large.py) and every form of it that a
peer wants, packs it, and times all of them: batch 1, exactly --tokens tokens, no padding. Each round starts every
one anew, in turn, and every other round in reverse order; the table has the medians over all rounds. What is in DIR
already is used again, so a second run starts at once; --prepare ends before the first round. A peer that cannot be
installed or run is named and left out. Needs Python 3.11, cargo, 15 GB of disk and 6 GB of memory.

DeepSparse is closed software for evaluation only and is installed with --accept-deepsparse-license alone; read its
license first (Neural Magic DeepSparse Community License).
"""

import argparse
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
        self.models = self.work / f"{self.hf.name}-{args.tokens}"
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

    def command(self, action: str, peer: str, *more) -> list:
        python = self.python(environment(peer))
        places = ["--hf", self.hf, "--models", self.models, "--tokens", self.args.tokens, "--rten", self.rten]
        return [python, "-W", "ignore", HERE / "peers.py", action, peer, *places, *more]

    def prepare(self, peer: str) -> None:
        """Everything that `time` needs but the time."""
        if peer.startswith("rten"):
            self.install_rten()
        file = PEERS[peer][0]
        if file and not (self.models / file).exists():
            say(f"making {file} for {peer}")
            # DeepSparse's environment runs models, the peers' makes them.
            run([self.python("peers"), *self.command("make", peer)[1:]])
        self.python(environment(peer))

    # ------------------------------------------------------------------------------------------- measurement

    def time(self, name: str) -> dict:
        threads, repeat = self.args.threads, self.args.repeat
        if name != OURS:
            out = run(self.command("run", name, "--threads", threads, "--repeat", repeat))
            return json.loads(out.splitlines()[-1])
        more = ["--tokens", self.args.tokens, "--threads", threads, "--repeat", repeat, "--json"]
        report = json.loads(run([self.blockspan, "bench", "--model", self.packed, *more]))
        return {"times_ms": report["runs"][0]["times_ms"], "logits": self.logits(), "report": report}

    def logits(self) -> list | None:
        """blockspan's for the peers' input, if the example was built beside the command."""
        example = self.blockspan.parent / "examples" / "logits"
        if not example.exists():
            return None
        line = " ".join(f"{token}:{segment}" for token, segment in zip(*fixed_tokens(self.args.tokens)))
        return [float(word) for word in run([example, self.packed], input=line + "\n").split()]

    def peak(self, isa: str) -> float | None:
        """int8 multiply-adds of one core in registers, 10⁹ a second."""
        limits = ["cargo", "run", "--release", "--quiet", "-p", "blockspan-kernels", "--example", "limits", "--"]
        try:
            out = run([*limits, "--isa", isa, "--filter", "1024×1024 store, 384", "--json"], cwd=ROOT)
        except Failed as failure:
            say(f"no peak: {failure}")
            return None
        row = json.loads(out)["kernels"][0]
        return row["work_per_nanosecond"] / row["share_of_limit"]


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


def measure(bench: Bench, names: list[str]) -> dict:
    """The rounds; a peer that fails is left out from there on."""
    times, logits, left_out, ours = {name: [] for name in names}, {}, {}, None
    for number in range(bench.args.rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            if name in left_out:
                continue
            try:
                result = bench.time(name)
            except Failed as failure:
                left_out[name] = str(failure)
                say(f"left out: {name}: {failure}")
                continue
            times[name] += result["times_ms"]
            ours = result.get("report", ours)
            if result.get("logits"):
                logits[name] = result["logits"]
            median = statistics.median(result["times_ms"])
            say(f"round {number + 1}/{bench.args.rounds}: {name}: {median:.2f} ms")
    reference = logits.get("PyTorch f32")
    rows = []
    for name in names:
        if name not in left_out and times[name]:
            error = distance(logits[name], reference) if reference and name in logits else None
            sides = {"median_ms": statistics.median(times[name]), "min_ms": min(times[name])}
            rows.append({"name": name, **sides, "times_ms": times[name], "logits_error": error})
    rows.sort(key=lambda row: row["median_ms"])
    return {"rows": rows, "left_out": left_out, "blockspan": ours}


def table(result: dict) -> str:
    best = next((row["median_ms"] for row in result["rows"] if row["name"] == OURS), None)
    lines = [f"{result['machine']}; {result['title']}", ""]
    lines += ["| | median, ms | minimum, ms | times blockspan | logits' error |", "|---|---|---|---|---|"]
    for row in result["rows"]:
        ratio = f"{row['median_ms'] / best:.1f}" if best else ""
        error = "" if row["logits_error"] is None else f"{100 * row['logits_error']:.1f} %"
        lines.append(f"| {row['name']} | {row['median_ms']:.2f} | {row['min_ms']:.2f} | {ratio} | {error} |")
    lines += ["", *(f"left out: {name}: {why}" for name, why in result["left_out"].items())]
    if result["floor"]:
        floor = result["floor"]
        lines.append(
            f"arithmetic floor: {floor['gmac']:.2f} GMAC at {floor['threads']} × {floor['peak']:.0f} GMAC/s: "
            f"{floor['ms']:.2f} ms"
        )
    return "\n".join(lines)


def floor(bench: Bench, report: dict) -> dict | None:
    """The time that the multiplications alone would take at the peak of `vpdpbusd` (or the like) in registers."""
    peak = bench.peak(report["isa"])
    if not peak:
        return None
    gmac = report["work"][0]["sparse_gmac"] + report["work"][0]["attention_gmac"]
    threads = bench.args.threads
    return {"gmac": gmac, "peak": peak, "threads": threads, "ms": 1e3 * gmac / (peak * threads)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True, help="for environments and models; kept")
    parser.add_argument("--shape", default="large", choices=["large", "minilm"])
    parser.add_argument("--hf", type=Path, help="a model directory of your own in place of the stand-in")
    parser.add_argument("--tokens", type=int, default=384)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
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

    result = measure(bench, names)
    result["left_out"] = left_out | result["left_out"]
    threads = f"{args.threads} thread{'s' if args.threads > 1 else ''}"
    model = bench.hf.name if args.hf else {"large": "BERT-Large", "minilm": "MiniLM-L6"}[args.shape]
    result["title"] = f"{model}, 80 % block-sparse, {args.tokens} tokens, batch 1, {threads}"
    result["machine"] = machine()
    result["floor"] = floor(bench, result["blockspan"]) if result["blockspan"] else None
    print(table(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    if args.plot:
        args.plot.write_text(plot.svg(result, OURS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
