#!/usr/bin/env python3
"""The Python package on this machine: its import, `answer_batch` beside `blockspan batch`, and workers of Ray and Spark beside a
process alone.

    python3 benchmarks/cluster.py --work-dir /var/tmp/cluster [--rows 10000] [--tokens 150] [--workers 2] [--rounds 3]
        [--json FILE] [--quick]

Builds the command and the wheel and installs Ray, Spark and what they need, at the versions of `.ci/steps/79-cluster.sh`, into
the work directory (1.2 GB, minutes; needs a Java 17). Rows are questions of the fixtures with passages of `--tokens` tokens, all
different, in Parquet files of 250. Every figure is the median of `--rounds`; kinds take turns. Run it on a machine that does
nothing else. `--quick` takes a minute or two and shows only that all of it works.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "ray==2.60.0 pyspark==4.3.0 pyarrow==26.0.1 pandas==2.3.3 fsspec==2026.9.0 maturin==1.16.0".split()


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def prepare(work: Path) -> Path:
    """The environment's Python, with everything in it, and the command built."""
    python = work / "env" / "bin" / "python"
    stamp = work / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        run(sys.executable, "-m", "venv", "--clear", work / "env")
        run(python, "-m", "pip", "install", "--quiet", *PACKAGES)
        stamp.write_text(" ".join(PACKAGES))
    run("cargo", "build", "--quiet", "--release", "-p", "blockspan", cwd=ROOT)
    wheels = work / "wheels"
    for old in wheels.glob("*.whl"):
        old.unlink()
    maturin = [work / "env" / "bin" / "maturin", "build", "--quiet", "--release", "--locked"]
    variables = {**os.environ, "CARGO_TARGET_DIR": str(work / "target")}
    run(*maturin, "--manifest-path", ROOT / "bindings/python/Cargo.toml", "--out", wheels, env=variables)
    [wheel] = wheels.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel)
    return python


def make_rows(python: Path, command: Path, folder: Path, rows: int, tokens: int) -> None:
    """Rows as Parquet files of 250, and as JSON Lines for the command."""
    data = json.loads((ROOT / "fixtures/questions.json").read_text(encoding="utf-8"))
    paragraphs = [paragraph for article in data["data"] for paragraph in article["paragraphs"]]
    text = " ".join(" ".join(paragraph["context"].split()) for paragraph in paragraphs)
    questions = [asked["question"] for paragraph in paragraphs for asked in paragraph["qas"]]

    def offsets(lines):
        found = run(command, "tokenize", input="\n".join(lines) + "\n", capture_output=True, text=True).stdout
        return [json.loads(line)["offsets"] for line in found.splitlines()]

    places, lengths = offsets([text])[0], [len(one) for one in offsets(questions)]
    raw = text.encode()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(rows):
            at = number % len(questions)
            length = tokens - 3 - lengths[at]
            first = number * 37 % (len(places) - length)
            context = raw[places[first][0] : places[first + length - 1][1]].decode(errors="ignore")
            lines.write(json.dumps({"id": number, "question": questions[at], "context": context}) + "\n")
    script = (
        "import pyarrow.json as j, pyarrow.parquet as p, sys\n"
        "t = j.read_json(sys.argv[1] + '/rows.jsonl')\n"
        "for s in range(0, t.num_rows, 250): p.write_table(t.slice(s, 250), f'{sys.argv[1]}/{s:08}.parquet')\n"
    )
    for old in folder.glob("*.parquet"):
        old.unlink()
    run(python, "-c", script, folder)


class Measurement:
    """Runs parts and keeps what they say."""

    def __init__(self, python: Path, command: Path, folder: Path, rows: int, workers: int) -> None:
        self.python, self.command, self.folder, self.rows, self.workers = python, command, folder, rows, workers

    def part(self, name: str) -> dict:
        script = Path(__file__).with_name("cluster_parts.py")
        arguments = [name, self.folder, self.rows, self.workers]
        command = [str(part) for part in [self.python, "-B", script, *arguments]]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            sys.exit(f"{name} failed:\n{found.stderr}")
        return json.loads(found.stdout.splitlines()[-1])

    def batch(self) -> float:
        """Seconds of the command, with its start, reading and writing."""
        begin = time.perf_counter()
        out = [self.folder / "rows.jsonl", "--out", self.folder / "answers.jsonl", "--sessions", self.workers]
        run(self.command, "batch", *out, capture_output=True)
        seconds = time.perf_counter() - begin
        (self.folder / "answers.jsonl").unlink()
        return seconds


def engine(times: list[dict], rows: int) -> Optional[tuple[float, float, float]]:
    """Rows a second once a job runs, the seconds that a job costs beside its rows, and those of the cluster's start. Nothing
    where the machine was too busy to tell."""
    # Two jobs tell what does not grow with the rows from what does.
    if any(one["all"] <= one["quarter"] for one in times):
        return None
    rate = statistics.median((rows - rows // 4) / (one["all"] - one["quarter"]) for one in times)
    fixed = statistics.median(one["all"] for one in times) - rows / rate
    return rate, fixed, statistics.median(one["start"] for one in times)


def machine() -> str:
    """The processor's name, family and model."""
    known = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        known.setdefault(name.strip(), value.strip())
    cores = len(os.sched_getaffinity(0))
    name = known.get("model name", platform.machine())
    return f"{name}, family {known.get('cpu family')}, model {known.get('model')}, {cores} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work-dir", type=Path, required=True, help="where to install and to write")
    parser.add_argument("--rows", type=int, default=10_000, help="a multiple of 1000")
    parser.add_argument("--tokens", type=int, default=150, help="of a question with its passage")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--quick", action="store_true", help="1000 rows of 64 tokens, one round")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.tokens, args.rounds = 1000, 64, 1
    if args.rows < 1000 or args.rows % 1000:
        parser.error("--rows must be a multiple of 1000")
    args.work_dir.mkdir(parents=True, exist_ok=True)
    work = args.work_dir.resolve()
    python = prepare(work)
    command = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "blockspan"
    rows, workers = args.rows, args.workers
    make_rows(python, command, work / "rows", rows, args.tokens)
    measured = Measurement(python, command, work / "rows", rows, workers)
    report = {"machine": machine(), "rows": rows, "tokens": args.tokens, "workers": workers, "rounds": args.rounds}
    print(f"{report['machine']}; {rows} rows of {args.tokens} tokens, {workers} workers, load {os.getloadavg()[0]:.2f}")

    def say(name: str, text: str, **figures: object) -> None:
        report[name] = figures
        print(f"{name:<13} {text}", flush=True)

    imports = [measured.part("import")["seconds"] * 1000 for _ in range(20 if not args.quick else 3)]
    median = statistics.median(imports)
    say("import", f"{median:.1f} ms, at most {max(imports):.1f} (bar 50)", median_ms=median, most_ms=max(imports))

    batch, arrow = [], []
    for _ in range(args.rounds):
        batch.append(measured.batch())
        arrow.append(measured.part("answer_batch"))
    command_rate = rows / statistics.median(batch)
    arrow_rate = rows / statistics.median(one["seconds"] for one in arrow)
    share = 100 * arrow_rate / command_rate
    say("answer_batch", f"{arrow_rate:.1f} rows/s, {share:.1f} % of `blockspan batch` ({command_rate:.1f}; bar 95 %)",
        per_second=arrow_rate, batch_per_second=command_rate, percent=share)  # fmt: skip
    first, last, most = (max(one[name] for one in arrow) for name in ["second_mb", "last_mb", "most_mb"])
    say("memory", f"{first:.1f} MB after 250 rows, {last:.1f} after all, {most:.1f} at most",
        second_mb=first, last_mb=last, most_mb=most)  # fmt: skip

    alone, engines = [], {"ray": [], "spark": []}
    for _ in range(args.rounds):
        alone.append(measured.part("alone"))
        for name, times in engines.items():
            times.append(measured.part(name))
    one = rows / statistics.median(each["one"] for each in alone)
    beside = rows / statistics.median(max(each["several"]) for each in alone)
    say("alone", f"{one:.1f} rows/s, one process of one thread", per_second=one)
    say("beside", f"{beside:.1f} rows/s each, {100 * beside / one:.1f} % of one alone, {workers} such processes at a time",
        per_second=beside, percent=100 * beside / one)  # fmt: skip
    for name, times in engines.items():
        found = engine(times, rows)
        if found is None:
            say(name, "a job of all rows took no longer than one of a quarter: too few rows, or too much other work")
            continue
        rate, fixed, start = found
        each = rate / workers
        text = f"{each:.1f} rows/s per worker, {100 * each / one:.1f} % of one alone, {100 * each / beside:.1f} % of plain processes"
        say(name, f"{text}; a job costs {fixed:.1f} s beside its rows, the cluster's start {start:.1f} s",
            per_worker=each, percent_of_one=100 * each / one, percent_of_plain=100 * each / beside, job_seconds=fixed,
            start_seconds=start)  # fmt: skip
    report["load_after"] = os.getloadavg()[0]
    if args.json:
        partial = args.json.with_suffix(".partial")
        partial.write_text(json.dumps(report, indent=1) + "\n")
        os.replace(partial, args.json)


if __name__ == "__main__":
    main()
