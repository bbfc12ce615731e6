"""The peers: how each one's model is made from a Hugging Face directory, and how each one is timed.

compare.py starts this file with the Python of the environment that has the peer:

    python peers.py make PEER --hf DIR --models DIR --tokens N
    python peers.py run PEER --hf DIR --models DIR --tokens N --threads T --repeat R

`run` prints one line of JSON: `times_ms`, and `logits` of a fixed input, by which compare.py sees that all compute
the same network. Each peer gets static shapes, no attention mask and no padding: the form in which it is fastest.
"""

import argparse
import json
import os
import re
import subprocess
import time
from pathlib import Path

INPUTS, OUTPUTS = ["input_ids", "token_type_ids"], ["start", "end"]
WARM_UP = 2


def fixed_tokens(tokens: int) -> tuple[list[int], list[int]]:
    """Ids from all over the vocabulary, and segments: [CLS], 12 tokens of a question, [SEP], the rest a passage."""
    ids = [1000 + at * 7919 % 29000 for at in range(tokens)]
    ids[0], ids[13], ids[-1] = 101, 102, 102
    return ids, [int(at > 13) for at in range(tokens)]


def fixed_input(tokens: int):
    import numpy as np

    return {name: np.array([row], dtype=np.int64) for name, row in zip(INPUTS, fixed_tokens(tokens))}


# ------------------------------------------------------------------------------------------------ making models


def export(args, out: Path, opset: int) -> None:
    """The graph as PyTorch's exporter writes it. Opset 17 has LayerNormalization as one node; 11 is what older
    engines read."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, input_ids, token_type_ids):
            output = self.model(input_ids=input_ids, token_type_ids=token_type_ids)
            return output.start_logits, output.end_logits

    example = tuple(torch.from_numpy(fixed_input(args.tokens)[name]) for name in INPUTS)
    names = dict(input_names=INPUTS, output_names=OUTPUTS)
    torch.onnx.export(
        Logits(torch_model(args, "eager")), example, str(out), opset_version=opset, dynamo=False, **names
    )


def torch_model(args, attention: str = "sdpa"):
    import torch
    from transformers import BertForQuestionAnswering

    model = BertForQuestionAnswering.from_pretrained(args.hf, attn_implementation=attention, dtype=torch.float32)
    return model.eval()


def fuse(source: Path, out: Path, args) -> None:
    """onnxruntime's own BERT optimizer: attention, SkipLayerNormalization, BiasGelu."""
    from onnxruntime.transformers import optimizer

    config = json.loads((args.hf / "config.json").read_text())
    fused = optimizer.optimize_model(
        str(source),
        model_type="bert",
        num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"],
        opt_level=0,
        use_gpu=False,
    )
    fused.save_model_to_file(str(out))


def dynamic_int8(source: Path, out: Path) -> None:
    """Weights int8 per channel, activations quantized on the fly."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(out),
        op_types_to_quantize=["MatMul", "Attention"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        # Types cannot be inferred behind the fused operators, which the standard does not know.
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
    )


def matrices(graph):
    """The MatMul nodes by a constant, but for the two outputs at the end; name of the constant → array."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants:
            weight = numpy_helper.to_array(constants[node.input[1]])
            if weight.shape[1] > 2:
                yield node, weight


def ranges(source: Path, args, names: list[str]) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of tensors, over the fixed input and three others."""
    import numpy as np
    import onnx
    import onnxruntime

    model = onnx.load(str(source))
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    probe = args.models / "probe.onnx"
    onnx.save(model, str(probe))
    del model
    session = onnxruntime.InferenceSession(str(probe), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    found = {}
    for sample in range(4):
        feed = fixed_input(args.tokens)
        if sample:
            feed["input_ids"] = random.integers(1000, 30000, feed["input_ids"].shape)
        for name, value in zip(names, session.run(names, feed)):
            low, high = found.get(name, (0.0, 0.0))
            found[name] = (min(low, float(value.min())), max(high, float(value.max())))
    probe.unlink()
    return found


def uint8_parameters(low: float, high: float):
    """Scale and zero point of the range, which holds 0."""
    import numpy as np

    scale = max(high - low, 1e-6) / 255
    return np.float32(scale), np.uint8(round(-low / scale))


def per_channel(weight):
    """int8 of a matrix [in, out] with a scale for each output."""
    import numpy as np

    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12).astype(np.float32) / 127
    return np.rint(weight / scale).astype(np.int8), scale


def rewrite(source: Path, out: Path, args, replace) -> None:
    """Puts what `replace` gives in place of each product by a constant: nodes and constants."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(source))
    graph = model.graph
    products = list(matrices(graph))
    bounds = ranges(source, args, sorted({node.input[0] for node, _ in products}))
    new, gone, done = {}, set(), set()
    for node, weight in products:
        nodes, constants = replace(onnx.helper.make_node, node, weight, *uint8_parameters(*bounds[node.input[0]]))
        # Products with one input share its quantized form.
        nodes = [n for n in nodes if n.output[0] not in done]
        done.update(n.output[0] for n in nodes)
        new[node.name] = nodes
        gone.add(node.input[1])
        known = {tensor.name for tensor in graph.initializer}
        fresh = [(name, value) for name, value in constants.items() if name not in known]
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in fresh)
    nodes = [n for node in graph.node for n in new.get(node.name, [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    kept = [tensor for tensor in graph.initializer if tensor.name not in gone]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.save(model, str(out))


def qdq(make_node, node, weight, scale, zero):
    """QuantizeLinear and DequantizeLinear around both inputs."""
    import numpy as np

    source, stem = node.input[0], node.name
    quantized, scales = per_channel(weight)
    q = f"{source}.q"
    constants = {
        f"{q}.scale": scale,
        f"{q}.zero": zero,
        f"{stem}.w": quantized,
        f"{stem}.w.scale": scales,
        f"{stem}.w.zero": np.zeros(len(scales), np.int8),
    }
    return [
        make_node("QuantizeLinear", [source, f"{q}.scale", f"{q}.zero"], [q]),
        make_node("DequantizeLinear", [q, f"{q}.scale", f"{q}.zero"], [f"{q}.dq"]),
        make_node("DequantizeLinear", [f"{stem}.w", f"{stem}.w.scale", f"{stem}.w.zero"], [f"{stem}.w.dq"], axis=1),
        make_node("MatMul", [f"{q}.dq", f"{stem}.w.dq"], list(node.output), name=node.name),
    ], {name: np.asarray(value) for name, value in constants.items()}


def integer_matmul(make_node, node, weight, scale, zero):
    """QuantizeLinear, MatMulInteger, Cast, Mul: the form that DeepSparse runs on its sparse int8 kernels."""
    import numpy as np

    source, stem = node.input[0], node.name
    quantized, scales = per_channel(weight)
    q = f"{source}.q"
    constants = {
        f"{q}.scale": scale,
        f"{q}.zero": zero,
        f"{stem}.w": quantized,
        f"{stem}.w.zero": np.int8(0),
        f"{stem}.scale": scale * scales,
    }
    return [
        make_node("QuantizeLinear", [source, f"{q}.scale", f"{q}.zero"], [q]),
        make_node("MatMulInteger", [q, f"{stem}.w", f"{q}.zero", f"{stem}.w.zero"], [f"{stem}.i"], name=f"{stem}.mmi"),
        make_node("Cast", [f"{stem}.i"], [f"{stem}.f"], to=1),
        make_node("Mul", [f"{stem}.f", f"{stem}.scale"], list(node.output)),
    ], {name: np.asarray(value) for name, value in constants.items()}


def make(file: str, args) -> Path:
    """The model file of that name, made if it is not there."""
    out = args.models / file
    if out.exists():
        return out
    args.models.mkdir(parents=True, exist_ok=True)
    temporary = args.models / f"new-{file}"
    if file in ("opset17.onnx", "opset11.onnx"):
        export(args, temporary, int(file[5:7]))
    elif file == "fused.onnx":
        fuse(make("opset17.onnx", args), temporary, args)
    elif file == "fused-int8.onnx":
        dynamic_int8(make("fused.onnx", args), temporary)
    elif file == "dynamic-int8.onnx":
        dynamic_int8(make("opset17.onnx", args), temporary)
    elif file == "qdq.onnx":
        rewrite(make("opset17.onnx", args), temporary, args, qdq)
    else:
        rewrite(make("opset11.onnx", args), temporary, args, integer_matmul)
    temporary.rename(out)
    return out


# ----------------------------------------------------------------------------------------------- timing models


def timed(call, args):
    """Times of `repeat` calls after some that do not count; start and end logits of the last."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(args.repeat):
        begin = time.perf_counter()
        result = call()
        times.append(1e3 * (time.perf_counter() - begin))
    return times, [x for output in result for x in output]


def run_onnxruntime(file: Path, args):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feed = fixed_input(args.tokens)
    for wanted in session.get_inputs():
        feed[wanted.name] = feed[wanted.name].astype({"tensor(int32)": "int32"}.get(wanted.type, "int64"))
    return timed(lambda: [output[0].tolist() for output in session.run(OUTPUTS, feed)], args)


def run_openvino(file: Path, args, precision: str):
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": args.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "CACHE_DIR": str(args.models / "openvino-cache"),
    }
    request = core.compile_model(str(file), "CPU", settings).create_infer_request()
    feed = fixed_input(args.tokens)

    def call():
        request.infer(feed)
        return [request.get_output_tensor(i).data[0].tolist() for i in range(2)]

    return timed(call, args)


def run_torch(args, dtype: str):
    import torch

    torch.set_num_threads(args.threads)
    model = torch_model(args).to(getattr(torch, dtype))
    feed = {name: torch.from_numpy(value) for name, value in fixed_input(args.tokens).items()}

    def call():
        output = model(**feed)
        return [output.start_logits[0].tolist(), output.end_logits[0].tolist()]

    with torch.inference_mode():
        return timed(call, args)


def run_deepsparse(file: Path, args):
    import deepsparse

    engine = deepsparse.compile_model(str(file), batch_size=1, num_cores=args.threads)
    feed = [fixed_input(args.tokens)[name] for name in INPUTS]
    return timed(lambda: [output[0].tolist() for output in engine.run(feed)], args)


def run_rten(file: Path, args):
    """rten has no Python package: its command, with inputs of its own."""
    command = [args.rten, "-k", "-t", str(args.threads), "-n", str(WARM_UP + args.repeat)]
    command += ["-r", "input_ids=0:30000", "-r", "token_type_ids=0:2", str(file)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = [float(ms) for ms in re.findall(r"^\s*#\d+ .* in ([\d.]+)ms", text, re.MULTILINE)]
    if len(times) != WARM_UP + args.repeat:
        raise RuntimeError(f"cannot read rten's times:\n{text}")
    return times[WARM_UP:], None


# name: (the model file, how it is run)
PEERS = {
    "onnxruntime f32": ("fused.onnx", run_onnxruntime),
    "onnxruntime int8": ("fused-int8.onnx", run_onnxruntime),
    "OpenVINO f32": ("opset17.onnx", lambda file, args: run_openvino(file, args, "f32")),
    "OpenVINO bf16": ("opset17.onnx", lambda file, args: run_openvino(file, args, "bf16")),
    # What stays float runs in bf16 where the CPU has it: a fifth faster than f32.
    "OpenVINO int8": ("qdq.onnx", lambda file, args: run_openvino(file, args, "bf16")),
    "PyTorch f32": (None, lambda _, args: run_torch(args, "float32")),
    "PyTorch bf16": (None, lambda _, args: run_torch(args, "bfloat16")),
    "rten f32": ("opset17.onnx", run_rten),
    "rten int8": ("dynamic-int8.onnx", run_rten),
    "DeepSparse f32": ("opset11.onnx", run_deepsparse),
    "DeepSparse int8": ("integer-matmul.onnx", run_deepsparse),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["make", "run"])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--hf", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--rten", default="rten")
    args = parser.parse_args()
    file, run = PEERS[args.peer]
    if args.action == "make":
        if file:
            make(file, args)
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    times, logits = run(args.models / file if file else None, args)
    print(json.dumps({"times_ms": times, "logits": logits}))


if __name__ == "__main__":
    main()
