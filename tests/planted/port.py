"""Somebody's port to torch: a Keras model's layers, each computed by torch. Imports nothing of numjaz, nor Keras.

Between layers a tensor lies as Keras has it, (windows, time, channels); a layer that torch has the other way turns it
itself. What `Step.port` holds are a port's own mistakes:

``initial``
    the state that a recurrent layer begins with
``gate_limit``
    how large its first gate may become
``backward_left_turned``, ``last_step``
    of a bidirectional layer: what its second direction made in its own order; the last step of both for the last state
``odd_left``, ``symmetric``
    where a convolution pads
``batch_statistics``
    batch norm in training mode
``norm_over``
    ``time``, ``all`` or ``unbiased``: what a layer norm takes its mean over
``softmax_axis``
    of an activation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from steps import Network, Step, single
from torch import Tensor

torch.set_num_threads(2)
RUNNER = f"torch {torch.__version__.partition('+')[0]}"
Arrays = Mapping[str, Tensor]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_sigmoid_keras2": lambda x: torch.clip(0.2 * x + 0.5, 0, 1),
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": F.elu,
    "selu": F.selu,
    "silu": F.silu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "sin": torch.sin,
}


def run(network: Network, x: np.ndarray, dtype: torch.dtype = torch.float32) -> dict[str, np.ndarray]:
    """Every layer's output by its name, as far as shapes let the network be computed."""
    made: dict[str, Tensor] = {}
    for step in network.values():
        if step.kind == "InputLayer":
            made[step.name] = torch.as_tensor(x).to(dtype)
        elif all(name in made for name in step.inputs):
            try:
                with torch.no_grad():
                    made[step.name] = _whole(step, [made[name] for name in step.inputs], dtype)
            except (RuntimeError, ValueError):  # shapes that a fault made
                continue
    return {name: value.numpy() for name, value in made.items() if network[name].kind != "InputLayer"}


def alone(step: Step, inputs: list[np.ndarray]) -> np.ndarray | None:
    """One layer's output, in float64; None where shapes do not fit."""
    try:
        with torch.no_grad():
            return _whole(step, [torch.as_tensor(x).double() for x in inputs], torch.float64).numpy()
    except (RuntimeError, ValueError):
        return None


def _whole(step: Step, inputs: list[Tensor], dtype: torch.dtype) -> Tensor:
    """A layer, with what the port does before and after it."""
    weights = {name: torch.as_tensor(np.ascontiguousarray(a)).to(dtype) for name, a in step.weights.items()}
    for op in step.before:
        inputs = [op(inputs[0]), *inputs[1:]]
    made = compute(step, weights, inputs)
    for op in step.after:
        made = op(made)
    return made.contiguous()


def compute(step: Step, weights: Arrays, inputs: list[Tensor]) -> Tensor:
    """A layer alone."""
    return LAYERS[step.kind](step, weights, *inputs)


def activated(step: Step, x: Tensor) -> Tensor:
    """What an activation at a layer's end makes."""
    name = step.config["activation"]
    if name == "softmax":
        return torch.softmax(x, step.port.get("softmax_axis", -1))
    return ACTIVATIONS[name](x)


def _dense(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    return activated(step, F.linear(x, weights["kernel"].T, weights.get("bias")))


def _padded(step: Step, x: Tensor) -> Tensor:
    """Zeros around (N, C, T), as TensorFlow puts them."""
    size, stride = single(step.config["kernel_size"]), single(step.config["strides"])
    reach, padding = (size - 1) * single(step.config["dilation_rate"]), step.config["padding"]
    if padding == "valid":
        return x
    if padding == "causal":
        return F.pad(x, (reach, 0))
    if step.port.get("symmetric"):
        return F.pad(x, (reach // 2, reach // 2))
    steps = -(-x.shape[-1] // stride)
    total = max((steps - 1) * stride + reach + 1 - x.shape[-1], 0)
    left = total - total // 2 if step.port.get("odd_left") else total // 2
    return F.pad(x, (left, total - left))


def _convolved(step: Step, x: Tensor, kernel: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """Time last, with torch's kernel."""
    stride, dilation = single(step.config["strides"]), single(step.config["dilation_rate"])
    return F.conv1d(_padded(step, x), kernel, bias, stride, 0, dilation, groups)


def _conv(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    kernel = weights["kernel"].permute(2, 1, 0)
    y = _convolved(step, x.transpose(1, 2), kernel, weights.get("bias"), step.config.get("groups", 1))
    return activated(step, y.transpose(1, 2))


def _by_channel(kernel: Tensor) -> Tensor:
    """Keras's (taps, channels, multiplier) as torch's (channels times multiplier, 1, taps)."""
    return kernel.permute(1, 2, 0).reshape(-1, 1, kernel.shape[0])


def _depthwise(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    y = _convolved(step, x.transpose(1, 2), _by_channel(weights["kernel"]), weights.get("bias"), x.shape[-1])
    return activated(step, y.transpose(1, 2))


def _separable(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    y = _convolved(step, x.transpose(1, 2), _by_channel(weights["depthwise_kernel"]), None, x.shape[-1])
    y = F.conv1d(y, weights["pointwise_kernel"].permute(2, 1, 0), weights.get("bias"))
    return activated(step, y.transpose(1, 2))


def _cell(kind: str, step: Step, weights: Arrays, x: Tensor) -> Tensor:
    """All states of a recurrent layer over (N, T, F): by torch's module where torch has the layer, else step by step."""
    config = step.cell
    plain = config["activation"] == "tanh" and config["recurrent_activation"] == "sigmoid"
    if plain and "gate_limit" not in step.port and (kind == "LSTM" or config["reset_after"]):
        return _module(kind, step, weights, x)
    return _stepwise(kind, step, weights, x)


def _module(kind: str, step: Step, weights: Arrays, x: Tensor) -> Tensor:
    units = weights["recurrent_kernel"].shape[0]
    bias = weights.get("bias", torch.zeros(weights["kernel"].shape[1], dtype=x.dtype))
    biases = bias if bias.ndim == 2 else torch.stack([bias, torch.zeros_like(bias)])
    rows = torch.arange(weights["kernel"].shape[1])
    if kind == "GRU":  # torch has the reset gate first
        rows = torch.cat([rows[units : 2 * units], rows[:units], rows[2 * units :]])
    module = (torch.nn.GRU if kind == "GRU" else torch.nn.LSTM)(x.shape[-1], units, batch_first=True, dtype=x.dtype)
    module.load_state_dict(
        {
            "weight_ih_l0": weights["kernel"].T[rows],
            "weight_hh_l0": weights["recurrent_kernel"].T[rows],
            "bias_ih_l0": biases[0][rows],
            "bias_hh_l0": biases[1][rows],
        }
    )
    state = torch.full((1, len(x), units), step.port.get("initial", 0.0), dtype=x.dtype)
    return module(x, state if kind == "GRU" else (state, state))[0]


def _stepwise(kind: str, step: Step, weights: Arrays, x: Tensor) -> Tensor:
    units = weights["recurrent_kernel"].shape[0]
    bias = weights.get("bias", torch.zeros(weights["kernel"].shape[1], dtype=x.dtype))
    first, second = bias if bias.ndim == 2 else (bias, torch.zeros_like(bias))
    h = c = torch.full((len(x), units), step.port.get("initial", 0.0), dtype=x.dtype)
    outputs = []
    for given in (x @ weights["kernel"] + first).unbind(1):
        if kind == "GRU":
            h = _gru(step, given, h, weights["recurrent_kernel"], second)
        else:
            h, c = _lstm(step, given + h @ weights["recurrent_kernel"] + second, c)
        outputs.append(h)
    return torch.stack(outputs, 1)


def _gate(step: Step, x: Tensor) -> Tensor:
    return ACTIVATIONS[step.cell["recurrent_activation"]](x)


def _gru(step: Step, given: Tensor, h: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    units, act = h.shape[1], ACTIVATIONS[step.cell["activation"]]
    held = h @ recurrent[:, : 2 * units] + bias[: 2 * units]
    z, r = _gate(step, given[:, : 2 * units] + held).chunk(2, 1)
    z = torch.clip(z, max=step.port.get("gate_limit", 1.0))
    if step.cell["reset_after"]:
        candidate = act(given[:, 2 * units :] + r * (h @ recurrent[:, 2 * units :] + bias[2 * units :]))
    else:
        candidate = act(given[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
    return z * h + (1 - z) * candidate


def _lstm(step: Step, summed: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    act = ACTIVATIONS[step.cell["activation"]]
    i, f, candidate, o = summed.chunk(4, 1)
    i, f, o = (_gate(step, gate) for gate in (i, f, o))
    i = torch.clip(i, max=step.port.get("gate_limit", 1.0))
    c = f * c + i * act(candidate)
    return o * act(c), c


def _recurrent(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    states = _cell(step.kind, step, weights, x)
    return states if step.config["return_sequences"] else states[:, -1]


def _bidirectional(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    parts = []
    for side, given in (("forward", x), ("backward", x.flip(1))):
        held = {name.partition("/")[2]: a for name, a in weights.items() if name.startswith(side)}
        parts.append(_cell(step.cell_kind, step, held, given))
    ahead, back = parts
    if step.cell["return_sequences"]:
        return torch.cat([ahead, back if step.port.get("backward_left_turned") else back.flip(1)], -1)
    return torch.cat([ahead[:, -1], back[:, 0] if step.port.get("last_step") else back[:, -1]], -1)


def _batch_norm(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    turned = x.transpose(1, 2) if x.ndim == 3 else x
    training = bool(step.port.get("batch_statistics"))
    mean, variance = weights["moving_mean"].clone(), weights["moving_variance"].clone()
    y = F.batch_norm(
        turned, mean, variance, weights.get("gamma"), weights.get("beta"), training, eps=step.config["epsilon"]
    )
    return y.transpose(1, 2) if x.ndim == 3 else y


def _layer_norm(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    over, epsilon = step.port.get("norm_over"), step.config["epsilon"]
    gamma, beta = weights.get("gamma"), weights.get("beta")
    if over is None:
        return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon)
    axes = {"time": (1,), "all": (1, 2), "unbiased": (2,)}[over]
    mean = x.mean(axes, keepdim=True)
    variance = x.var(axes, unbiased=over == "unbiased", keepdim=True)
    y = (x - mean) / torch.sqrt(variance + epsilon)
    return y * (1 if gamma is None else gamma) + (0 if beta is None else beta)


def _pooled(pool: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def pooled(step: Step, weights: Arrays, x: Tensor) -> Tensor:
        size, stride = single(step.config["pool_size"]), single(step.config["strides"])
        return pool(x.transpose(1, 2), size, stride).transpose(1, 2)

    return pooled


def _normalization(step: Step, weights: Arrays, x: Tensor) -> Tensor:
    mean, variance = (torch.as_tensor(np.asarray(step.config[key])).to(x.dtype) for key in ("mean", "variance"))
    return (x - mean) / torch.sqrt(variance)


def _slope(step: Step) -> float:
    return float(step.config.get("negative_slope", step.config.get("alpha", 0.3)))


def _added(step: Step, weights: Arrays, *x: Tensor) -> Tensor:
    total = x[0]
    for each in x[1:]:
        total = total + each
    return total


LAYERS: dict[str, Callable[..., Any]] = {
    "Dense": _dense,
    "Conv1D": _conv,
    "DepthwiseConv1D": _depthwise,
    "SeparableConv1D": _separable,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "Bidirectional": _bidirectional,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "MaxPooling1D": _pooled(F.max_pool1d),
    "AveragePooling1D": _pooled(F.avg_pool1d),
    "GlobalAveragePooling1D": lambda step, weights, x: x.mean(1),
    "Flatten": lambda step, weights, x: x.reshape(len(x), -1),
    "Activation": lambda step, weights, x: activated(step, x),
    "Softmax": lambda step, weights, x: torch.softmax(x, step.port.get("softmax_axis", step.config["axis"])),
    "ReLU": lambda step, weights, x: torch.clip(x, 0, step.config["max_value"]),
    "LeakyReLU": lambda step, weights, x: F.leaky_relu(x, _slope(step)),
    "Add": _added,
    "Multiply": lambda step, weights, a, b: a * b,
    "Concatenate": lambda step, weights, *x: torch.cat(x, -1),
    "Dropout": lambda step, weights, x: x,
    "Rescaling": lambda step, weights, x: x * step.config["scale"] + step.config["offset"],
    "Normalization": _normalization,
}
