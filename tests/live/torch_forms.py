"""Networks of GRUs, batch norms, convolutions, sums and a pooled dense layer, typed in torch in one form or another."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

import numjaz
from numjaz.layers import (
    Activation,
    Add,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    GlobalAveragePooling1D,
    Input,
    Softmax,
)


class Typed(nn.Module):
    """A network written as somebody would who writes it in this form; channels before time, as torch has them."""

    def __init__(self, model: numjaz.Model, form: str) -> None:
        super().__init__()
        self.nodes, self.traits = model.nodes, form.split(", ")
        widths = {key: shape[-1] for key, shape in model.shapes(64).items()}
        made: dict[str, nn.Module] = {}
        for node in model.nodes:
            read = widths[node.inputs[0][0]] if node.inputs else 0
            match node.layer:
                case Bidirectional(forward_layer=gru):
                    made[node.name] = nn.GRU(read, gru.units, batch_first=True, bidirectional=True)
                case BatchNormalization():
                    made[node.name] = nn.BatchNorm1d(read)
                case Conv1D(filters, kernel):
                    padding: Any = "same" if "padding same" in self.traits else (kernel // 2) * node.layer.dilation
                    options = {"bias": node.layer.use_bias, "dilation": node.layer.dilation}
                    made[node.name] = nn.Conv1d(read, filters, kernel, padding=padding, **options)
                case Dense(units):
                    made[node.name] = nn.Linear(read, units)
                case GlobalAveragePooling1D() if "mean" not in self.traits:
                    made[node.name] = nn.AdaptiveAvgPool1d(1)
            if self._activation(node.layer) == "relu" and self._module(node.layer):
                made[f"{node.name}_relu"] = nn.ReLU()
        self.made = nn.ModuleDict(made)
        self.eval()

    @staticmethod
    def _activation(layer: Any) -> str:
        return getattr(layer, "activation", "linear")

    def _module(self, layer: Any) -> bool:
        """Whether its ReLU is a module: one that is a layer of its own always, but in a form with methods."""
        return "ReLU modules" in self.traits or (isinstance(layer, Activation) and "ReLU methods" not in self.traits)

    def forward(self, x: Any) -> Any:
        held = {}
        for node in self.nodes:
            read = [held[name] for name, _ in node.inputs]
            match node.layer:
                case Input():
                    y = x.transpose(1, 2)
                case Bidirectional():
                    y = self.made[node.name](read[0].transpose(1, 2))[0].transpose(1, 2)
                case Add():
                    y = read[0] + read[1] if "operators" in self.traits else torch.add(read[0], read[1])
                case GlobalAveragePooling1D():
                    y = read[0].mean(2) if "mean" in self.traits else self.made[node.name](read[0]).squeeze(2)
                case Activation() | Softmax():
                    y = read[0]
                case _:
                    y = self.made[node.name](read[0])
            if self._activation(node.layer) == "relu":
                if self._module(node.layer):
                    y = self.made[f"{node.name}_relu"](y)
                else:
                    y = y.relu() if "ReLU methods" in self.traits else functional.relu(y)
            if self._activation(node.layer) == "softmax" and "logits" not in self.traits:
                y = functional.softmax(y, -1)
            held[node.name] = y
        return held[self.nodes[-1].name]
