#!/usr/bin/env python3
"""Training speed beside PyTorch: the same step of the same network, in turns, on this machine.

    python3 benchmarks/train_speed.py [--batch 24] [--tokens 192] [--threads 1] [--rounds 7] [--steps 2]

A step is forward, loss, backward, clipping and AdamW, in f32, with dropout 0.1. The network has the shape of
all-MiniLM-L6 unless a model directory is given. First both sides train a few steps without dropout from the same
weights: their losses must agree, else the figures would compare different things. Then they take turns, and each
round gives a ratio of tokens per second; the median is what counts on a machine that does other work too.

Makes its own environment, target/train-speed, with the versions of fixtures/requirements.txt (some 6 GB), and builds
the trainer's example. Standard library only.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "target" / "train-speed"
REQUIREMENTS = ROOT / "fixtures" / "requirements.txt"

# The shape of all-MiniLM-L6.
MINILM = {
    "model_type": "bert", "hidden_act": "gelu", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
    "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512, "type_vocab_size": 2,
}

# The learning rate, decay and clipping of examples/train_speed.rs, and its windows.
TORCH = """
import sys, time, torch
from transformers import BertForQuestionAnswering
directory, windows, tokens, dropout, threads, optimizer = sys.argv[1:]
windows, tokens, dropout = int(windows), int(tokens), float(dropout)
torch.set_num_threads(int(threads))
torch.manual_seed(0)
model = BertForQuestionAnswering.from_pretrained(
    directory, dtype=torch.float32, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
model.train()
decays = lambda name: not (name.endswith(".bias") or "LayerNorm" in name)
named = list(model.named_parameters())
groups = [{"params": [p for n, p in named if decays(n)], "weight_decay": 0.01},
          {"params": [p for n, p in named if not decays(n)], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=optimizer == "fused")
i = torch.arange(windows * tokens)
inputs = {
    "input_ids": (1 + i * 7919 % (model.config.vocab_size - 1)).reshape(windows, tokens),
    "token_type_ids": (i % tokens >= 20).long().reshape(windows, tokens),
    "attention_mask": torch.ones(windows, tokens, dtype=torch.long),
    "start_positions": torch.arange(windows) * 37 % tokens,
    "end_positions": torch.arange(windows) * 41 % tokens,
}
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        loss = model(**inputs).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss = loss.item()
    print(time.perf_counter() - start, loss, flush=True)
"""

MAKE = """
import json, sys, torch
from transformers import BertConfig, BertForQuestionAnswering
torch.manual_seed(0)
BertForQuestionAnswering(BertConfig(**json.loads(sys.argv[1]))).save_pretrained(sys.argv[2])
"""


class Worker:
    """A process that takes steps when it is told to."""

    def __init__(self, command, threads):
        variables = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"]
        environment = os.environ | dict.fromkeys(variables, str(threads))
        environment |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True)

    def steps(self, number):
        """The seconds of so many steps, and the loss of the last."""
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            sys.exit(f"error: {self.process.args[0]} ended early; its message is above")
        return float(answer[0]), float(answer[1])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


def python():
    """The environment's interpreter; made on the first call."""
    interpreter = HOME / "venv" / "bin" / "python"
    stamp = HOME / "requirements.txt"
    if not (stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text()):
        run(sys.executable, "-m", "venv", HOME / "venv")
        run(interpreter, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS)
        stamp.write_text(REQUIREMENTS.read_text())
    return interpreter


def machine():
    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        pairs = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
        fields = {key.strip(): value.strip() for key, _, value in pairs}
        name = ", ".join(f"{key} {fields[key]}" for key in ("model name", "cpu family", "model") if key in fields)
    return f"{name}; {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a fine-tuned Hugging Face directory; else fresh weights of MiniLM-L6's shape")
    parser.add_argument("--batch", type=int, default=24, help="windows of a step")
    parser.add_argument("--tokens", type=int, default=192, help="tokens of a window")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--steps", type=int, default=2, help="steps of a turn")
    parser.add_argument("--torch-optimizer", choices=["foreach", "fused"], default="fused")
    parser.add_argument("--prefix", default="", help="a command before both, such as 'chrt -f 50 taskset -c 1'")
    options = parser.parse_args()

    interpreter = python()
    run("cargo", "build", "--release", "--quiet", "--manifest-path", ROOT / "Cargo.toml", "-p", "blockspan-trainer",
        "--example", "train_speed")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    model = Path(options.model) if options.model else HOME / "minilm"
    if not options.model and not (model / "model.safetensors").exists():
        run(interpreter, "-c", MAKE, json.dumps(MINILM), model)

    def workers(dropout):
        shape = [str(model), str(options.batch), str(options.tokens), str(dropout)]
        prefix = options.prefix.split()
        ours = [*prefix, str(target / "release" / "examples" / "train_speed"), *shape]
        theirs = [*prefix, str(interpreter), "-c", TORCH, *shape, str(options.threads), options.torch_optimizer]
        return Worker(ours, options.threads), Worker(theirs, options.threads)

    ours, theirs = workers(0.0)
    for step in range(1, 4):
        (_, mine), (_, other) = ours.steps(1), theirs.steps(1)
        print(f"step {step} without dropout: loss {mine:.6f}, PyTorch {other:.6f}")
        if not abs(mine - other) < 2e-5 * abs(other):
            sys.exit("error: the two sides do not take the same step")
    ours.end(), theirs.end()

    ours, theirs = workers(0.1)
    ours.steps(1), theirs.steps(1)
    tokens = options.batch * options.tokens * options.steps
    ratios, speeds = [], ([], [])
    for round in range(options.rounds):
        # Whoever begins alternates too.
        pair = {}
        for worker in (ours, theirs) if round % 2 == 0 else (theirs, ours):
            pair[worker] = tokens / worker.steps(options.steps)[0]
        speeds[0].append(pair[ours]), speeds[1].append(pair[theirs])
        ratios.append(pair[ours] / pair[theirs])
        print(f"round {round + 1}: {pair[ours]:7.0f} tokens/s, PyTorch {pair[theirs]:7.0f}, ratio {ratios[-1]:.3f}")
    ours.end(), theirs.end()
    versions = ", ".join(line for line in REQUIREMENTS.read_text().split() if line.startswith(("torch=", "transf")))
    print(f"{options.batch} windows of {options.tokens} tokens, dropout 0.1, {options.threads} threads, "
          f"{options.rounds} rounds of {options.steps} steps; {machine()}; {versions} ({options.torch_optimizer} AdamW)")
    print(f"median: {statistics.median(speeds[0]):.0f} tokens/s, PyTorch {statistics.median(speeds[1]):.0f}; "
          f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
