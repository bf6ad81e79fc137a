"""Networks without recurrent layers as ONNX graphs, run by ONNX Runtime. Imports nothing of numjaz.

Between layers a tensor lies as Keras has it, and is called as Keras calls the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, RuntimeException
from steps import Network, Step, single

RUNNER = f"onnxruntime {onnxruntime.__version__}"
OPSET = 20
ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "elu": "Elu", "selu": "Selu", "sigmoid": "Sigmoid", "softmax": "Softmax"}


class Graph:
    """A graph that grows."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        """An array of the graph."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """An operation."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{output}_{op}", **attributes))
        return output


def run(network: Network, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output.

    `KeyError` where there is a layer or an option that has no translation here, `ValueError` where shapes do not fit.
    """
    graph = Graph()
    (first,) = (step.name for step in network.values() if step.kind == "InputLayer")
    steps = [step for step in network.values() if step.kind != "InputLayer"]
    for step in steps:
        LAYERS[step.kind](graph, step, *step.inputs)
    outputs = [helper.make_tensor_value_info(step.name, TensorProto.FLOAT, None) for step in steps]
    given = [helper.make_tensor_value_info(first, TensorProto.FLOAT, [None, *x.shape[1:]])]
    made = helper.make_graph(graph.nodes, "network", given, outputs, graph.initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 4
    names = [step.name for step in steps]
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(names, {first: x}), strict=True))
    except (Fail, InvalidArgument, InvalidGraph, RuntimeException) as error:
        raise ValueError(str(error)) from error


def _activated(graph: Graph, step: Step, name: str) -> None:
    own = step.config["activation"]
    if own == "linear":
        graph.add("Identity", [name], step.name)
    elif own == "gelu":
        graph.add("Gelu", [name], step.name)
    else:
        graph.add(ACTIVATIONS[own], [name], step.name)


def _pads(step: Step) -> dict[str, Any]:
    reach = (single(step.config["kernel_size"]) - 1) * single(step.config["dilation_rate"])
    padding, stride = step.config["padding"], single(step.config["strides"])
    sizes = {"strides": [stride], "dilations": [single(step.config["dilation_rate"])]}
    if padding == "same" and stride > 1:
        return {**sizes, "auto_pad": "SAME_UPPER"}
    before = {"valid": 0, "same": reach // 2, "causal": reach}[padding]
    return {**sizes, "pads": [before, 0 if padding == "valid" else reach - before]}


def _turned(graph: Graph, given: str, name: str) -> str:
    return graph.add("Transpose", [given], name, perm=[0, 2, 1])


def _conv(graph: Graph, step: Step, given: str) -> None:
    kernel = graph.constant(f"{step.name}/kernel", step.weights["kernel"].transpose(2, 1, 0))
    x = _turned(graph, given, f"{step.name}/x")
    y = graph.add(
        "Conv", [x, kernel, *_bias(graph, step)], f"{step.name}/y", group=step.config["groups"], **_pads(step)
    )
    _activated(graph, step, _turned(graph, y, f"{step.name}/back"))


def _bias(graph: Graph, step: Step) -> list[str]:
    return [graph.constant(f"{step.name}/bias", step.weights["bias"])] if "bias" in step.weights else []


def _by_channel(kernel: np.ndarray) -> np.ndarray:
    return kernel.transpose(1, 2, 0).reshape(-1, 1, kernel.shape[0])


def _depthwise(graph: Graph, step: Step, given: str) -> None:
    kernel = graph.constant(f"{step.name}/kernel", _by_channel(step.weights["kernel"]))
    x = _turned(graph, given, f"{step.name}/x")
    count = step.weights["kernel"].shape[1]
    y = graph.add("Conv", [x, kernel, *_bias(graph, step)], f"{step.name}/y", group=count, **_pads(step))
    _activated(graph, step, _turned(graph, y, f"{step.name}/back"))


def _separable(graph: Graph, step: Step, given: str) -> None:
    depthwise, pointwise = step.weights["depthwise_kernel"], step.weights["pointwise_kernel"]
    first = graph.constant(f"{step.name}/depthwise", _by_channel(depthwise))
    second = graph.constant(f"{step.name}/pointwise", pointwise.transpose(2, 1, 0))
    x = _turned(graph, given, f"{step.name}/x")
    y = graph.add("Conv", [x, first], f"{step.name}/middle", group=depthwise.shape[1], **_pads(step))
    y = graph.add("Conv", [y, second, *_bias(graph, step)], f"{step.name}/y")
    _activated(graph, step, _turned(graph, y, f"{step.name}/back"))


def _dense(graph: Graph, step: Step, given: str) -> None:
    kernel = graph.constant(f"{step.name}/kernel", step.weights["kernel"])
    y = graph.add("MatMul", [given, kernel], f"{step.name}/product")
    y = graph.add("Add", [y, *_bias(graph, step)], f"{step.name}/sum")
    _activated(graph, step, y)


def _batch_norm(graph: Graph, step: Step, given: str) -> None:
    size = step.weights["moving_mean"].shape
    held = {"gamma": np.ones(size, np.float32), "beta": np.zeros(size, np.float32), **step.weights}
    names = [graph.constant(f"{step.name}/{n}", held[n]) for n in ("gamma", "beta", "moving_mean", "moving_variance")]
    x = _turned(graph, given, f"{step.name}/x")
    y = graph.add("BatchNormalization", [x, *names], f"{step.name}/y", epsilon=step.config["epsilon"])
    _turned(graph, y, step.name)


def _layer_norm(graph: Graph, step: Step, given: str) -> None:
    names = [graph.constant(f"{step.name}/{n}", step.weights[n]) for n in ("gamma", "beta")]
    graph.add("LayerNormalization", [given, *names], step.name, axis=-1, epsilon=step.config["epsilon"])


def _pooled(op: str) -> Callable[..., None]:
    def pooled(graph: Graph, step: Step, given: str) -> None:
        x = _turned(graph, given, f"{step.name}/x")
        size, stride = single(step.config["pool_size"]), single(step.config["strides"])
        y = graph.add(op, [x], f"{step.name}/y", kernel_shape=[size], strides=[stride])
        _turned(graph, y, step.name)

    return pooled


def _global_average(graph: Graph, step: Step, given: str) -> None:
    axes = graph.constant(f"{step.name}/axes", np.array([1]))
    graph.add("ReduceMean", [given, axes], step.name, keepdims=0)


def _rescaling(graph: Graph, step: Step, given: str) -> None:
    scale, offset = (graph.constant(f"{step.name}/{k}", np.float32(step.config[k])) for k in ("scale", "offset"))
    graph.add("Add", [graph.add("Mul", [given, scale], f"{step.name}/product"), offset], step.name)


def _clipped(graph: Graph, step: Step, given: str) -> None:
    largest = step.config["max_value"]
    limits = [graph.constant(f"{step.name}/{k}", np.float32(v)) for k, v in enumerate((0.0, largest)) if v is not None]
    graph.add("Clip", [given, *limits], step.name)


def _leaky(graph: Graph, step: Step, given: str) -> None:
    graph.add("LeakyRelu", [given], step.name, alpha=float(step.config["negative_slope"]))


LAYERS: dict[str, Callable[..., Any]] = {
    "Conv1D": _conv,
    "DepthwiseConv1D": _depthwise,
    "SeparableConv1D": _separable,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "MaxPooling1D": _pooled("MaxPool"),
    "AveragePooling1D": _pooled("AveragePool"),
    "GlobalAveragePooling1D": _global_average,
    "Flatten": lambda graph, step, given: graph.add("Flatten", [given], step.name),
    "Activation": lambda graph, step, given: _activated(graph, step, given),
    "ReLU": _clipped,
    "LeakyReLU": _leaky,
    "Rescaling": _rescaling,
    "Add": lambda graph, step, *given: graph.add("Sum", list(given), step.name),
    "Dropout": lambda graph, step, given: graph.add("Identity", [given], step.name),
}
