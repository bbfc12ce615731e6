#!/usr/bin/env python3
"""Runs the `limits` example some times and prints its figures as Markdown tables: µs and share of the machine's limit.

    python3 benchmarks/kernels.py [--runs 3] [--isa NAME]... [--prefix "taskset -c 1"]

Each figure is the median over the runs; where shares differ by more than 3 points between runs, their range follows in
brackets. Needs cargo; builds the example first.
"""

import argparse
import json
import shlex
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ["cargo", "build", "--release", "--quiet", "-p", "blockspan-kernels", "--example", "limits"]
NAMES = {"sse41": "SSE4.1", "avx2": "AVX2", "avxvnni": "AVX-VNNI", "avx512vnni": "AVX-512 VNNI", "neon": "NEON"}


def cell(runs: list[dict]) -> str:
    """One kernel on one instruction set."""
    time = statistics.median(run["microseconds"] for run in runs)
    text = f"{time:.0f}" if time >= 200 else f"{time:#.3g}".rstrip(".")
    shares = [100 * run["share_of_limit"] for run in runs if "share_of_limit" in run]
    if shares:
        text += f", {statistics.median(shares):.0f} %"
        if max(shares) - min(shares) > 3:
            text += f" [{min(shares):.0f}–{max(shares):.0f}]"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--isa", action="append", default=[], help="an instruction set; all of the machine's without")
    parser.add_argument("--prefix", default="", help="put before the command")
    args = parser.parse_args()

    subprocess.run(BUILD, cwd=ROOT, check=True)
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=ROOT))
    program = Path(metadata["target_directory"]) / "release/examples/limits"
    command = [*shlex.split(args.prefix), str(program), "--json"]
    for isa in args.isa:
        command += ["--isa", isa]
    results: dict[str, dict[str, list[dict]]] = {}
    isas: list[str] = []
    cpu = ""
    for _ in range(args.runs):
        report = json.loads(subprocess.check_output(command))
        cpu = report["cpu"]
        for row in report["kernels"]:
            results.setdefault(row["kernel"], {}).setdefault(row["isa"], []).append(row)
            if row["isa"] not in isas:
                isas.append(row["isa"])

    print(f"{cpu}; median of {args.runs} runs\n\nPeaks of int8 multiply-adds, GMAC/s, over all measurements:", end=" ")
    peaks = []
    for isa in isas:
        found = [
            run["work_per_nanosecond"] / run["share_of_limit"]
            for of_kernel in results.values()
            for run in of_kernel.get(isa, [])
            if run.get("limit") == "dot products"
        ]
        if found:
            peaks.append(f"{NAMES.get(isa, isa)} {min(found):.0f} to {max(found):.0f}")
    print("; ".join(peaks) + ".")
    for title, belongs in [
        ("product", lambda kernel: "-block" in kernel),
        ("attention", lambda kernel: kernel.startswith("attention")),
        ("function", lambda kernel: "-block" not in kernel and not kernel.startswith("attention")),
    ]:
        print(f"\n| {title} | " + " | ".join(NAMES.get(isa, isa) for isa in isas) + " |")
        print("|---" * (len(isas) + 1) + "|")
        for kernel, of_isa in results.items():
            if belongs(kernel):
                cells = (cell(of_isa[isa]) if isa in of_isa else "" for isa in isas)
                print(f"| {kernel.removeprefix('attention ')} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
