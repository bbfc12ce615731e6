#!/usr/bin/env python3
"""Logits of a packed model beside transformers in f32, on real questions and passages.

    DIR/peers-env/bin/python benchmarks/accuracy.py --hf MODEL-DIR --packed MODEL.bspan
        [--questions fixtures/questions.json] [--most 50] [--tokens 384] [--causes]

(DIR/peers-env: compare.py makes it.) Each pair is one window, tokenized by the model directory's own tokenizer. Prints
how far the engine's logits are from the reference's, as a share of the standard deviation of the reference's logits
over the passage, and how often both choose the same span (start + end largest, at most 30 tokens, as run_qa.py does;
and how large the reference's lead was where they differ). --causes tells, for each kind of matrix, how far the logits move when
its weights and inputs alone are rounded as the packed model rounds them.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

import numpy
import torch
from transformers import AutoTokenizer, BertForQuestionAnswering

ROOT = Path(__file__).resolve().parent.parent
MOST_TOKENS = 30
KINDS = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"]


class Pair:
    """A window: ids, segments, and which tokens are the passage's."""

    def __init__(self, tokenizer, question: str, context: str, tokens: int) -> None:
        encoded = tokenizer(question, context, truncation="only_second", max_length=tokens)
        self.ids, self.segments = encoded["input_ids"], encoded["token_type_ids"]
        self.passage = numpy.array([part == 1 for part in encoded.sequence_ids(0)])

    def line(self) -> str:
        return " ".join(f"{i}:{s}" for i, s in zip(self.ids, self.segments)) + "\n"

    def tensors(self) -> dict:
        return {"input_ids": torch.tensor([self.ids]), "token_type_ids": torch.tensor([self.segments])}


def read_pairs(args, tokenizer) -> list[Pair]:
    data = json.loads(args.questions.read_text())["data"]
    paragraphs = [paragraph for article in data for paragraph in article["paragraphs"]]
    texts = [(qa["question"].strip(), p["context"]) for p in paragraphs for qa in p["qas"]]
    step = max(1, len(texts) // args.most)
    return [Pair(tokenizer, *text, args.tokens) for text in texts[::step][: args.most]]


def reference(model, pairs: list[Pair]) -> list[numpy.ndarray]:
    """[2, tokens] for each pair."""
    with torch.inference_mode():
        outputs = (model(**pair.tensors()) for pair in pairs)
        return [torch.stack([o.start_logits[0], o.end_logits[0]]).numpy() for o in outputs]


def engine(packed: Path, pairs: list[Pair]) -> list[numpy.ndarray]:
    command = ["cargo", "run", "--release", "--quiet", "-p", "blockspan-engine", "--features", "std"]
    command += ["--example", "logits", "--", str(packed.resolve())]
    text = "".join(pair.line() for pair in pairs)
    out = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    lines = [numpy.array(line.split(), dtype=numpy.float32) for line in out.splitlines()]
    return [numpy.stack(lines[i : i + 2]) for i in range(0, len(lines), 2)]


def best_span(logits: numpy.ndarray, passage: numpy.ndarray) -> tuple[int, int]:
    masked = numpy.where(passage, logits, -numpy.inf)
    scores = masked[0][:, None] + masked[1][None, :]
    length = numpy.arange(len(passage))[None, :] - numpy.arange(len(passage))[:, None]
    scores[(length < 0) | (length >= MOST_TOKENS)] = -numpy.inf
    return divmod(int(scores.argmax()), len(passage))


def errors(found: list, expected: list, pairs: list[Pair]) -> tuple[list[float], list[float]]:
    """For each pair the root mean square and the largest difference over the passage, in standard deviations of the
    reference's start or end logits there."""
    mean, worst = [], []
    for x, y, pair in zip(found, expected, pairs):
        difference = (x - y)[:, pair.passage] / y[:, pair.passage].std(axis=1, keepdims=True)
        mean.append(float(numpy.sqrt((difference**2).mean())))
        worst.append(float(numpy.abs(difference).max()))
    return mean, worst


def rounded(x: torch.Tensor) -> torch.Tensor:
    """int8 with one scale for each row, and back."""
    scale = x.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30) / 127
    return (x / scale).round() * scale


def rounded_affine(x: torch.Tensor) -> torch.Tensor:
    """GELU's result: 254 steps from -0.17 to the largest value, 0 on one of them."""
    scale = (x.amax(dim=-1, keepdim=True).clamp_min(0.17) + 0.17) / 254
    zero_point = 127 - (0.17 / scale).clamp_max(127).round()
    return ((x / scale - zero_point).round().clamp(-127, 127) + zero_point) * scale


def causes(model, pairs: list[Pair], expected: list) -> None:
    print("\nrounding of one kind of matrix alone, weights and inputs: root mean square difference")
    for kind in KINDS:
        layers = [module for name, module in model.named_modules() if name.endswith(kind)]
        if kind == "output.dense":
            layers = [m for n, m in model.named_modules() if n.endswith(kind) and "attention" not in n]
        of_input = rounded_affine if kind == "output.dense" else rounded
        kept, hooks = [layer.weight.data for layer in layers], []
        for layer in layers:
            layer.weight.data = rounded(layer.weight.data)
            hooks.append(layer.register_forward_pre_hook(lambda _, inputs, of_input=of_input: (of_input(inputs[0]),)))
        mean, _ = errors(reference(model, pairs), expected, pairs)
        for layer, weight, hook in zip(layers, kept, hooks):
            layer.weight.data = weight
            hook.remove()
        print(f"  {kind:<24} {100 * statistics.fmean(mean):6.2f} % of the spread")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hf", type=Path, required=True)
    parser.add_argument("--packed", type=Path, required=True)
    parser.add_argument("--questions", type=Path, default=ROOT / "fixtures" / "questions.json")
    parser.add_argument("--most", type=int, default=50, help="pairs, taken evenly from the file")
    parser.add_argument("--tokens", type=int, default=384)
    parser.add_argument("--causes", action="store_true")
    args = parser.parse_args()

    pairs = read_pairs(args, AutoTokenizer.from_pretrained(args.hf))
    model = BertForQuestionAnswering.from_pretrained(args.hf, dtype=torch.float32).eval()
    expected, found = reference(model, pairs), engine(args.packed, pairs)
    mean, worst = errors(found, expected, pairs)
    lengths = [len(pair.ids) for pair in pairs]
    print(f"{args.packed.name}: {len(pairs)} pairs of {min(lengths)} to {max(lengths)} tokens")
    print(f"  root mean square difference: mean {100 * statistics.fmean(mean):.2f} %, worst pair {100 * max(mean):.2f} %")
    print(f"  largest single difference: {100 * max(worst):.1f} % of the spread")
    equal = 0
    for x, y, pair in zip(found, expected, pairs):
        ours, theirs = best_span(x, pair.passage), best_span(y, pair.passage)
        equal += ours == theirs
        if ours != theirs:
            lead = (y[0, theirs[0]] + y[1, theirs[1]] - y[0, ours[0]] - y[1, ours[1]]) / y[:, pair.passage].std()
            print(f"  other span: the reference's led by {100 * lead:.1f} % of the spread")
    print(f"  equal best spans: {equal} of {len(pairs)}")
    if args.causes:
        few = list(range(0, len(pairs), max(1, len(pairs) // 8)))[:8]
        causes(model, [pairs[i] for i in few], [expected[i] for i in few])


if __name__ == "__main__":
    main()
