"""The networks of the matrix, typed in torch: run in torch 1.13 and in torch 2. Imports nothing of numjaz.

Modules take and give (windows, samples, channels), as numjaz's nodes do; their tensors are as torch has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import nn

Activation = Callable[[torch.Tensor], torch.Tensor]


class Conv(nn.Conv1d):
    """A convolution, and what comes behind it."""

    def __init__(self, inside: int, filters: int, kernel: int, behind: Activation | None = None, **options) -> None:
        super().__init__(inside, filters, kernel, **{"padding": "same", **options})
        self.behind = behind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x.transpose(1, 2)).transpose(1, 2)
        return self.behind(x) if self.behind else x


class Norm(nn.BatchNorm1d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2) if x.dim() == 3 else super().forward(x)


class Linear(nn.Linear):
    """A linear layer, and what comes behind it."""

    def __init__(self, inside: int, units: int, behind: Activation | None = None) -> None:
        super().__init__(inside, units)
        self.behind = behind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x)
        return self.behind(x) if self.behind else x


class Outputs:
    """A recurrent module that gives its outputs and no state: all of them, or the last."""

    def __init__(self, inside: int, units: int, last: bool = False, both: bool = False) -> None:
        super().__init__(inside, units, batch_first=True, bidirectional=both)
        self.last = last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = super().forward(x)
        return x[:, -1] if self.last else x


class GRU(Outputs, nn.GRU):
    pass


class LSTM(Outputs, nn.LSTM):
    pass


BLOCK = {"": "", ".a1": "_branch5_reduce", ".a2": "_branch5", ".b1": "_branch3_reduce", ".b2": "_branch3"}
BLOCK |= {".out": "_merge", ".skip": "_shortcut"}


def softmax(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x, -1)


class JazbatBlock(nn.Module):
    """A residual module, its branches in the order of the paper."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        self.a1, self.a2 = Conv(inside, 10, 1, torch.relu), Conv(10, 10, 5, torch.relu)
        self.b1, self.b2 = Conv(inside, 10, 1, torch.relu), Conv(10, 10, 3, torch.relu)
        self.out, self.skip = Conv(10, 64, 1, torch.relu), Conv(inside, 64, 1, torch.relu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.a2(self.a1(x)) + self.b2(self.b1(x))) + self.skip(x)


class Jazbat(nn.Module):
    """The reference network, small."""

    shapes = ((24, 3),)
    nodes: ClassVar = {"rnn": "bigru", "bn": "norm", "last": "reduction", "fc": "classes"} | {
        f"blocks.{k}{module}": f"module{k + 1}{node}" for k in range(2) for module, node in BLOCK.items()
    }

    def __init__(self) -> None:
        super().__init__()
        self.rnn = GRU(3, 5, both=True)
        self.bn = Norm(10)
        self.blocks = nn.ModuleList([JazbatBlock(10), JazbatBlock(64)])
        self.last = Conv(64, 6, 1, torch.relu)
        self.fc = Linear(6, 5, softmax)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.rnn(x))
        for block in self.blocks:
            x = block(x)
        return self.fc(self.last(x).mean(1))


class SequentialLSTM(nn.Sequential):
    """Two LSTMs over raw axes; torch calls the modules by their numbers."""

    shapes = ((20, 3),)
    nodes: ClassVar = dict(
        zip("0123456", ("lstm", "dropout", "lstm_1", "dense", "relu", "norm", "classes"), strict=True)
    )

    def __init__(self) -> None:
        recurrent = (LSTM(3, 6), nn.Dropout(0.3), LSTM(6, 5, last=True))
        super().__init__(*recurrent, Linear(5, 7), nn.ReLU(), Norm(7), Linear(7, 4, softmax))


class CnnBiGRU(nn.Module):
    """Two convolutions of other lengths side by side, max-pooled, a bidirectional GRU, attention over time."""

    shapes = ((24, 3),)
    nodes: ClassVar = {"short": "conv1d", "long": "conv1d_1", "norm": "layer_normalization", "gru": "bidirectional"}
    nodes |= {"score": "dense", "attention": "softmax", "fc": "dense_1"}

    def __init__(self) -> None:
        super().__init__()
        self.short, self.long = Conv(3, 4, 3, torch.relu), Conv(3, 4, 7, torch.relu)
        self.norm = nn.LayerNorm(8)
        self.gru = GRU(8, 5, both=True)
        self.score, self.attention = Linear(10, 1), nn.Softmax(1)
        self.fc = Linear(20, 4, softmax)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.short(x), self.long(x)], -1)
        x = nn.functional.max_pool1d(x.transpose(1, 2), 2).transpose(1, 2)
        x = self.gru(self.norm(x))
        x = x * self.attention(self.score(x))
        return self.fc(torch.cat([x.mean(1), x.amax(1)], -1))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.br1, self.br2 = Conv(width, width, 3, torch.relu), Conv(width, width, 1, torch.relu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.br1(x) + self.br2(x)


class Blocks(nn.Module):
    """Blocks of somebody's own in a list, all alike."""

    shapes = ((20, 3),)
    nodes: ClassVar = {"rnn": "rnn", "head": "head"} | {
        f"mods.{k}{part}": f"mods{k}/{part[1:] or 'add'}" for k in range(3) for part in ("", ".br1", ".br2")
    }

    def __init__(self) -> None:
        super().__init__()
        self.rnn = LSTM(3, 4, both=True)
        self.mods = nn.ModuleList([Residual(8), Residual(8), Residual(8)])
        self.head = Linear(8, 4, softmax)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.rnn(x)
        for block in self.mods:
            x = block(x)
        return self.head(x.mean(1))


class Trunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv(2, 4, 3, torch.relu, padding=0)
        self.norm = Norm(4)
        self.gru = GRU(4, 5, last=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(self.norm(self.conv(x)))


class Nested(nn.Module):
    """A module within that is called twice, and one that takes what the two calls gave."""

    shapes = ((16, 2), (16, 2))
    nodes: ClassVar = {
        path: path.replace(".", "/") for path in ("trunk.conv", "trunk.norm", "trunk.gru", "head.dense", "same")
    }

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.head = nn.Sequential()
        self.head.add_module("dense", Linear(5, 3, torch.tanh))
        self.same = Linear(3, 2, softmax)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        left, right = self.trunk(left), self.trunk(right)
        return self.same(self.head(left - right))


class Separable(nn.Module):
    """A depthwise-separable network: a convolution of as many groups as channels, then one of length 1."""

    shapes = ((32, 3),)
    nodes: ClassVar = {
        "norms.0": "norm",
        "norms.1": "norm_1",
        "norms.2": "norm_2",
        "norms.3": "norm_3",
        "fc": "classes",
    }
    nodes |= {"depthwise.0": "depthwise", "depthwise.1": "depthwise_1", "pointwise.0": "conv", "pointwise.1": "conv_1"}
    nodes |= {"separable": "separable"}

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(
            Conv(n, n, 5, groups=n, stride=stride, padding=2, bias=False) for n, stride in ((3, 1), (8, 2))
        )
        self.pointwise = nn.ModuleList([Conv(3, 8, 1, bias=False), Conv(8, 12, 1, bias=False)])
        self.norms = nn.ModuleList([Norm(3), Norm(8), Norm(8), Norm(12)])
        self.separable = nn.Sequential()
        self.separable.add_module("depthwise", Conv(12, 12, 3, groups=12, dilation=2, bias=False))
        self.separable.add_module("pointwise", Conv(12, 6, 1, nn.functional.elu))
        self.fc = Linear(24, 4, softmax)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for k, (depthwise, pointwise) in enumerate(zip(self.depthwise, self.pointwise, strict=True)):
            x = nn.functional.relu6(self.norms[2 * k](depthwise(x)))
            x = nn.functional.leaky_relu(self.norms[2 * k + 1](pointwise(x)), 0.25)
        x = nn.functional.avg_pool1d(self.separable(x).transpose(1, 2), 4)
        return self.fc(x.flatten(1))  # each channel's samples stand together


NETWORKS: dict[str, type[nn.Module]] = {
    "jazbat": Jazbat,
    "sequential-lstm": SequentialLSTM,
    "cnn-bigru": CnnBiGRU,
    "subclassed": Blocks,
    "nested": Nested,
    "separable": Separable,
}


def network(name: str, dtype: str, seed: int = 0) -> nn.Module:
    """One of `NETWORKS`, computing in this dtype, with random weights."""
    net = NETWORKS[name]().to(getattr(torch, dtype)).eval()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for path, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                values = rng.normal(0, 0.3, tuple(tensor.shape))
                tensor.copy_(torch.as_tensor(np.abs(values) + 0.5 if "running_var" in path else values))
    return net


def sample(net: nn.Module, dtype: str, seed: int = 1, windows: int = 2) -> list[np.ndarray]:
    """A random array for each of the network's inputs."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((windows, *shape)).astype(dtype) for shape in net.shapes]


def named_outputs(net: nn.Module, x: list[np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What each module of ``net.nodes`` gives, by its node's name, and what the network gives.

    The second call of ``trunk`` is ``trunk:1``.
    """
    found: dict[str, np.ndarray] = {}

    def kept(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        first, slash, rest = name.partition("/")

        def keep(module: nn.Module, given: object, made: torch.Tensor) -> None:
            calls = (f"{first}{f':{k}' if k else ''}{slash}{rest}" for k in range(len(found) + 1))
            found[next(call for call in calls if call not in found)] = made.numpy()

        return keep

    modules = dict(net.named_modules())
    hooks = [modules[path].register_forward_hook(kept(name)) for path, name in net.nodes.items()]
    with torch.no_grad():
        y = net(*(torch.as_tensor(array) for array in x))
    for hook in hooks:
        hook.remove()
    return found, y.numpy()
