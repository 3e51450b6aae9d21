"""Makes a packaged asset from an ONNX file: big weights stored as float16 (computed as float32), names set.

    pip install onnx onnxruntime
    python tools/pack_weights.py centerface.onnx src/suffice/assets/centerface.onnx \
        --names input.1=image 537=heat --shape image=batch,3,height,width heat=batch,1,rows,columns

The graphs in src/suffice/assets were made with it; PROVENANCE.md has the commands. Not part of the package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

# Biases and normalisation constants are few and touchy: they stay float32.
HALF_FROM_ELEMENTS = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--names", nargs="*", default=[], metavar="OLD=NEW")
    parser.add_argument("--shape", nargs="*", default=[], metavar="NAME=DIM,DIM,…")
    parser.add_argument("--split", action="store_true", help="half of the weights in a file beside the graph")
    args = parser.parse_args()
    model = onnx.load(args.source)
    constants_to_initializers(model.graph)
    hide_initializers(model.graph)
    rename(model.graph, dict(pair.split("=") for pair in args.names))
    reshape(model.graph, dict(pair.split("=") for pair in args.shape))
    halve(model.graph)
    standard = next(opset for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
    del model.opset_import[:]
    model.opset_import.append(standard)
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    if args.split:
        move_out(model, args.target.with_suffix(".bin"))
    onnx.save(model, args.target)
    print(f"{args.target}: {args.target.stat().st_size / 1e6:.1f} MB from {args.source.stat().st_size / 1e6:.1f} MB")


def move_out(model: onnx.ModelProto, target: Path) -> None:
    """Put half of the weights into a file beside the graph (ONNX external data), to keep each file below 10 MB."""
    with target.open("wb") as file:
        by_size = sorted(model.graph.initializer, key=lambda tensor: -len(tensor.raw_data))
        half = sum(len(tensor.raw_data) for tensor in by_size) // 2
        for tensor in by_size:
            if file.tell() < half:
                raw, offset = tensor.raw_data, file.tell()
                file.write(raw)
                set_external_data(tensor, target.name, offset=offset, length=len(raw))
                tensor.ClearField("raw_data")


def constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        tensor = next(attribute.t for attribute in node.attribute if attribute.name == "value")
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


def hide_initializers(graph: onnx.GraphProto) -> None:
    """Weights that are also inputs cannot be folded at load: leave only the true inputs."""
    weights = {tensor.name for tensor in graph.initializer}
    true_inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(true_inputs)


def rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def reshape(graph: onnx.GraphProto, shapes: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output):
        if value.name in shapes:
            dims = [int(dim) if dim.isdigit() else dim for dim in shapes[value.name].split(",")]
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, dims))
    if shapes:
        del graph.value_info[:]


def halve(graph: onnx.GraphProto) -> None:
    casts = []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32 and weights.size >= HALF_FROM_ELEMENTS:
            full, half = tensor.name, f"{tensor.name}_half"
            tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [full], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


if __name__ == "__main__":
    main()
