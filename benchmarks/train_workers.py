#!/usr/bin/env python3
"""Training on two workers of one thread each, beside one process of two threads.

    python3 benchmarks/train_workers.py [--steps 12] [--batch 16] [--tokens 192] [--rounds 5] [--base DIR --train FILE]

Both take the same steps of the same windows (16 at once, or 8 on each worker) with `blockspan-trainer finetune`; the figure
is tokens per second from metrics.jsonl, the first two steps left out. They take turns, and each round gives a ratio; the
median is what counts. The losses of both are compared: they must agree but for rounding. The last lines say what share of
a worker's step is spent with the others: sending, adding up, and waiting for the slower one.

The network has the shape of all-MiniLM-L6 with made-up weights, and the questions are made up, unless --base and --train are
given. Builds the trainer; needs the standard library only.
"""

import argparse
import array
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HIDDEN, LAYERS, INTERMEDIATE, VOCABULARY, POSITIONS = 384, 6, 1536, 30522, 512


def shapes():
    yield "bert.embeddings.word_embeddings.weight", (VOCABULARY, HIDDEN)
    yield "bert.embeddings.position_embeddings.weight", (POSITIONS, HIDDEN)
    yield "bert.embeddings.token_type_embeddings.weight", (2, HIDDEN)
    norms = ["bert.embeddings.LayerNorm"]
    for layer in range(LAYERS):
        prefix = f"bert.encoder.layer.{layer}."
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            yield prefix + part + ".weight", (HIDDEN, HIDDEN)
            yield prefix + part + ".bias", (HIDDEN,)
        yield prefix + "intermediate.dense.weight", (INTERMEDIATE, HIDDEN)
        yield prefix + "intermediate.dense.bias", (INTERMEDIATE,)
        yield prefix + "output.dense.weight", (HIDDEN, INTERMEDIATE)
        yield prefix + "output.dense.bias", (HIDDEN,)
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    for norm in norms:
        yield norm + ".weight", (HIDDEN,)
        yield norm + ".bias", (HIDDEN,)
    yield "qa_outputs.weight", (2, HIDDEN)
    yield "qa_outputs.bias", (2,)


def make_base(folder):
    """A model directory: made-up weights, and a vocabulary of which every word is one token."""
    folder.mkdir()
    drawn = random.Random(1)
    pool = array.array("f", (drawn.gauss(0, 0.05) for _ in range(1 << 20))).tobytes()
    header, data, place = {}, [], 0
    for number, (name, shape) in enumerate(shapes()):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        if "LayerNorm" in name:
            values = array.array("f", [float(name.endswith("weight"))] * count).tobytes()
        else:
            values = (pool[4 * number :] + pool * (count // (1 << 20) + 1))[: 4 * count]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [place, place + len(values)]}
        place += len(values)
        data.append(values)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))
    config = {"model_type": "bert", "hidden_act": "gelu", "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
              "num_hidden_layers": LAYERS, "num_attention_heads": 12, "intermediate_size": INTERMEDIATE,
              "max_position_embeddings": POSITIONS, "type_vocab_size": 2}
    (folder / "config.json").write_text(json.dumps(config))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = special + [f"w{number}" for number in range(VOCABULARY - len(special))]
    (folder / "vocab.txt").write_text("\n".join(words))


def make_data(path, windows, tokens):
    """So many questions of one window each, most of nearly full length."""
    drawn = random.Random(2)
    paragraphs = []
    for number in range(windows):
        words = [f"w{drawn.randrange(20000)}" for _ in range(tokens - 3 - 8 - drawn.randrange(tokens // 8))]
        place = drawn.randrange(len(words))
        answer = {"text": words[place], "answer_start": sum(len(word) + 1 for word in words[:place])}
        question = " ".join(f"w{drawn.randrange(20000)}" for _ in range(8))
        asked = {"id": str(number), "question": question, "answers": [answer]}
        paragraphs.append({"context": " ".join(words), "qas": [asked]})
    path.write_text(json.dumps({"data": [{"title": "made up", "paragraphs": paragraphs}]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, help="a model directory")
    parser.add_argument("--train", type=Path, help="a file of questions")
    parser.add_argument("--batch", type=int, default=16, help="windows of a step")
    parser.add_argument("--tokens", type=int, default=192, help="tokens of a window")
    parser.add_argument("--steps", type=int, default=12, help="steps of a run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side")
    parser.add_argument("--workers", type=int, default=2, help="workers, and threads of the one process")
    parser.add_argument("--dtype", default="f32")
    options = parser.parse_args()

    manifest = str(ROOT / "Cargo.toml")
    subprocess.run(["cargo", "build", "--release", "--quiet", "--manifest-path", manifest, "-p", "blockspan-trainer"],
                   check=True)
    trainer = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "blockspan-trainer"

    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        base, train = options.base or scratch / "base", options.train or scratch / "train.json"
        if not options.base:
            make_base(base)
        if not options.train:
            make_data(train, options.batch * options.steps, options.tokens)

        def run(workers):
            """The steps of a run, by metrics.jsonl."""
            command = [trainer, "finetune", "--base", base, "--train", train, "--out", scratch / "out", "--overwrite",
                       "--max-steps", options.steps, "--batch-size", options.batch // workers, "--workers", workers,
                       "--max-seq-len", options.tokens, "--dtype", options.dtype, "--warmup", 0]
            threads = {"RAYON_NUM_THREADS": str(options.workers // workers)}
            subprocess.run([str(part) for part in command], check=True, env=os.environ | threads,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            lines = [json.loads(line) for line in (scratch / "out" / "metrics.jsonl").read_text().splitlines()]
            return [line for line in lines if line["kind"] == "step"]

        def speed(steps):
            spent = steps[-1]["seconds"] - steps[1]["seconds"]
            return sum(step["tokens"] for step in steps[2:]) / spent

        ratios, speeds, shares, furthest = [], ([], []), [], 0.0
        for number in range(options.rounds):
            order = (1, options.workers) if number % 2 == 0 else (options.workers, 1)
            pair = {workers: run(workers) for workers in order}
            one, several = pair[1], pair[options.workers]
            for a, b in zip(one, several, strict=True):
                furthest = max(furthest, abs(a["loss"] - b["loss"]) / abs(a["loss"]))
            speeds[0].append(speed(one)), speeds[1].append(speed(several))
            ratios.append(speeds[1][-1] / speeds[0][-1])
            exchange = sum(step["exchange_seconds"] for step in several[2:])
            shares.append(exchange / (several[-1]["seconds"] - several[1]["seconds"]))
            print(f"round {number + 1}: one process {speeds[0][-1]:.0f} tokens/s, {options.workers} workers "
                  f"{speeds[1][-1]:.0f}, ratio {ratios[-1]:.3f}, exchange {100 * shares[-1]:.1f} % of a step", flush=True)
        if not furthest < 1e-3:
            sys.exit(f"error: the losses differ by {furthest:.1e}")
        print(f"{options.batch} windows of up to {options.tokens} tokens, {options.dtype}, {options.rounds} rounds of "
              f"{options.steps} steps; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"losses differ by {furthest:.1e} at most")
        print(f"median: one process of {options.workers} threads {statistics.median(speeds[0]):.0f} tokens/s, "
              f"{options.workers} workers of one thread {statistics.median(speeds[1]):.0f}; ratio "
              f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); exchange "
              f"{100 * statistics.median(shares):.1f} % of a step")


if __name__ == "__main__":
    main()
