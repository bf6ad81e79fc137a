"""A network as an ONNX file, for ONNX Runtime and what reads its kind; written, not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from numjaz.doors.output import whole
from numjaz.errors import NumjazError
from numjaz.formats.onnx_graph import Free, Graph
from numjaz.formats.onnx_layers import written
from numjaz.layers import Input
from numjaz.model import Model
from numjaz.nodes import output_key, output_shapes, owned_parameters

OPSET = 17  # the first with LayerNormalization, which ONNX Runtime has read since 1.12
NOTE = "numjaz"  # the metadata entry that the note stands under
MAX_BYTES = 2**31 - 1  # of one protocol buffer


def write_onnx(path: str | Path, model: Model, note: str, opset: int = OPSET) -> None:
    """Write a model as an ONNX graph, whole or not at all.

    Computes in float32, as ONNX Runtime's convolutions and recurrent layers do; arrays are rounded to
    it. Batch and free lengths stay free. Inputs and outputs have the names of the model's, and every
    node's output carries numjaz's name for it, so that it can be made an output to look at.

    Parameters
    ----------
    path : path or str
        The file to write.
    model : Model
        Any network of numjaz's layers.
    note : str
        A text that travels in the file, as the metadata entry ``numjaz``.
    opset : int
        The version of ONNX's operators, 17 or later.

    Raises
    ------
    NumjazError
        Where onnx is not installed, a layer is somebody's own, an array does not fit float32, or the
        file cannot be written.
    """
    onnx = _onnx()
    latest = onnx.defs.onnx_opset_version()
    if type(opset) is not int or not OPSET <= opset <= latest:
        raise NumjazError(f"{path}: opset must be from {OPSET} to {latest}, the latest of this onnx, not {opset!r:.60}")
    graph = graph_of(model, opset)
    if sum(array.nbytes for array in graph.arrays.values()) > MAX_BYTES - 2**20:
        raise NumjazError(f"{path}: an ONNX file holds at most 2 GB, and the network's arrays are larger")
    helper = onnx.helper
    inputs, outputs = _ends(model)
    made = helper.make_graph(
        _operators(onnx, graph),
        "numjaz",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in graph.arrays.items()],
    )
    versions = [helper.make_opsetid("", opset)]
    proto = helper.make_model(made, opset_imports=versions, producer_name="numjaz")
    proto.ir_version = helper.find_min_ir_version_for(versions)
    helper.set_model_props(proto, {NOTE: note})
    onnx.checker.check_model(proto, full_check=True)
    with whole(path) as beside:
        beside.write_bytes(proto.SerializeToString())


def graph_of(model: Model, opset: int = OPSET) -> Graph:
    """The model's nodes as ONNX operators, without the onnx package."""
    shapes = output_shapes(model.nodes, Free())  # type: ignore[arg-type]  # a number as far as layers ask
    graph = Graph([output_key(name, k) for name, made in shapes.items() for k in range(len(made))], opset)
    owned = owned_parameters(model.nodes)
    for node in model.nodes:
        if isinstance(node.layer, Input):
            continue
        graph.scope, graph.owner, since = node.name, node.owner, len(graph.ops)
        own = {name: model.parameters[f"{node.owner}/{name}"] for name in owned[node.owner]}
        inputs = [output_key(*source) for source in node.inputs]
        given = tuple(shapes[name][k] for name, k in node.inputs)
        try:
            outputs = written(graph, node.layer, own, inputs, given)
        except NumjazError as error:
            raise NumjazError(f"node {node.name!r}: {error}") from None
        graph.publish(outputs, [output_key(node.name, k) for k in range(len(outputs))], since)
    return graph


def _ends(model: Model) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """The shapes of inputs and outputs; a name stands for a length that is free, None for one that follows."""
    layers = {node.name: node.layer for node in model.nodes if isinstance(node.layer, Input)}
    many = sum(layer.axes.count(None) for layer in layers.values()) > 1
    inputs = {
        name: [
            "batch",
            *(size or (f"{name}/axis {k}" if many else "time") for k, size in enumerate(layer.axes, start=1)),
            layer.features,
        ]
        for name, layer in layers.items()
    }
    made = output_shapes(model.nodes, Free())  # type: ignore[arg-type]
    named = {output_key(name, k): shape for name, shapes in made.items() for k, shape in enumerate(shapes)}
    outputs = {
        name: inputs.get(name, ["batch", *(None if isinstance(n, Free) else n for n in named[name])])
        for name in model.outputs
    }
    return inputs, outputs


def _operators(onnx: Any, graph: Graph) -> list[Any]:
    return [
        onnx.helper.make_node(
            op.kind, op.inputs, op.outputs, **{name: _attribute(onnx, value) for name, value in op.attributes.items()}
        )
        for op in graph.ops
    ]


def _attribute(onnx: Any, value: Any) -> Any:
    """An operator's option; a graph within it, and an array, in onnx's form."""
    if isinstance(value, np.ndarray):
        return onnx.numpy_helper.from_array(value)
    if not isinstance(value, Graph):
        return value
    floats = onnx.TensorProto.FLOAT
    inputs = [onnx.helper.make_tensor_value_info(name, floats, [None, None]) for name in value.inputs]
    outputs = [onnx.helper.make_tensor_value_info(name, floats, [None, None]) for name in value.outputs]
    return onnx.helper.make_graph(_operators(onnx, value), "step", inputs, outputs)


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise NumjazError("an ONNX file needs the onnx package: pip install onnx") from None
    return onnx
