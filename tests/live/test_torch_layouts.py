"""Arrays in torch's layouts: there and back, and what torch cannot mean or names otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from numjaz import Model, NumjazError
from numjaz.formats.torch_names import Slot, foreign, from_torch, to_torch, torch_slots
from numjaz.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Dense,
    LayerNormalization,
    MultiHeadAttention,
    Normalization,
    PReLU,
    SimpleRNN,
)
from numjaz.layers.base import Layer
from numjaz.nodes import owned_parameters

torch = pytest.importorskip("torch")

from random_models import KINDS, cases  # noqa: E402
from torch_beside import some  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_arrays_go_to_torch_and_come_back(kind: type[Layer]) -> None:
    """Bit for bit, the signs of zeros included, in both dtypes; the slots say what there is."""

    @some
    @given(cases(kind))
    def holds(case: tuple[Model, Any]) -> None:
        model, _ = case
        layers = {node.owner: node.layer for node in model.nodes}
        for owner, own in owned_parameters(model.nodes).items():
            for dtype in (np.float32, np.float64):
                arrays = {name: model.parameters[f"{owner}/{name}"].astype(dtype) for name in own}
                arrays = {name: np.where(np.abs(a) < 0.1, dtype(-0.0), a) for name, a in arrays.items()}
                shapes = {name: p.shape for name, p in own.items()}
                there = to_torch(layers[owner], arrays)
                slots = torch_slots(layers[owner], shapes)
                expected = {f"{s.suffix}.{leaf}".lstrip("."): shape for s in slots for leaf, shape in s.tensors.items()}
                assert {name: a.shape for name, a in there.items()} == expected
                back = from_torch(layers[owner], there, shapes)
                assert list(back) == list(arrays)
                for name, array in arrays.items():
                    assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
                    assert back[name].tobytes() == array.tobytes()

    holds()


@pytest.mark.parametrize(
    ("layer", "shapes", "reason"),
    [
        (GRU(2, reset_after=False), ((5, 3),), "nn.GRU has the reset_after form only"),
        (GRU(2, recurrent_activation="hard_sigmoid"), ((5, 3),), "not tanh and hard_sigmoid"),
        (LSTM(2, "relu"), ((5, 3),), "nn.LSTM has tanh and sigmoid only"),
        (SimpleRNN(2, "sigmoid"), ((5, 3),), "nn.RNN has tanh and relu only"),
        (Bidirectional(GRU(2), GRU(3)), ((5, 3),), "two halves of the same options"),
        (BatchNormalization(scale=False), ((5, 3),), "scales and centers, or does neither"),
        (LayerNormalization(scale=False), ((5, 3),), "centers only what it scales"),
        (PReLU(), ((5, 3),), "one alpha a channel"),
        (MultiHeadAttention(2, 3, value_dim=2), ((5, 6), (5, 6)), "one width.* 6, 6, 4 and 6"),
        (Normalization(), ((5, 3),), "no layer like Normalization"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_what_torch_cannot_mean_is_said(layer: Layer, shapes: Any, reason: str) -> None:
    own = {name: p.shape for name, p in layer.parameters(shapes).items()}
    (slot,) = torch_slots(layer, own)
    assert slot == Slot("", {name.replace("/", "."): shape for name, shape in own.items()})
    with pytest.raises(NumjazError, match=reason) as error:
        from_torch(layer, {"weight_ih_l0": np.zeros((6, 3))}, own)
    assert "weight_ih_l0" in str(error.value)
    assert foreign(layer, own) in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bias": None}, "Dense: its tensors are bias, weight, not weight"),
        ({"extra": np.zeros(2)}, "not bias, extra, weight"),
        ({"weight": np.zeros((3, 2))}, r"tensor weight is \(3, 2\), expected \(2, 3\)"),
    ],
)
def test_wrong_tensors_are_named(change: dict[str, Any], said: str) -> None:
    state = {"weight": np.zeros((2, 3)), "bias": np.zeros(2), **change}
    with pytest.raises(NumjazError, match=said):
        from_torch(Dense(2), {k: v for k, v in state.items() if v is not None}, {"kernel": (3, 2), "bias": (2,)})
