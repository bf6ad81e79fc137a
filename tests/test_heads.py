"""Statistics of batch normalizations, against NumPy's of all that comes into them at once."""

from __future__ import annotations

import numpy as np

import numjaz
from numjaz.layers import BatchNormalization, Conv1D, Dense, GlobalAveragePooling1D, Input
from numjaz.learn.heads import BLOCK, with_statistics_of
from numjaz.learn.windows import as_windows
from numjaz.nodes import Node, parameter_table


def test_statistics_are_those_of_all_windows() -> None:
    """Over blocks that differ, one normalization after the other; nothing else changes."""
    layers = [
        Input(2),
        Conv1D(5, 3),
        BatchNormalization(1e-3),
        Conv1D(4, 3, activation="relu"),
        BatchNormalization(1e-3),
        GlobalAveragePooling1D(),
        Dense(2, "softmax"),
    ]
    nodes = [Node(f"n{k}", layer, ((f"n{k - 1}", 0),) if k else ()) for k, layer in enumerate(layers)]
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=p.shape) ** 2 for name, p in parameter_table(nodes).items()}
    model = numjaz.Model(nodes, arrays)
    count = 2 * BLOCK + 90
    x = (rng.normal(size=(count, 16, 2)) + np.linspace(0, 40, count)[:, None, None]).astype(np.float32)
    found = with_statistics_of(model, as_windows(x))
    made = found.activations(x.astype(np.float64))
    for node, source in (("n2", "n1"), ("n4", "n3")):
        np.testing.assert_allclose(found.parameters[f"{node}/moving_mean"], made[source].mean(axis=(0, 1)), rtol=1e-5)
        np.testing.assert_allclose(
            found.parameters[f"{node}/moving_variance"], made[source].var(axis=(0, 1)), rtol=1e-5
        )
        spread = made[node].std(axis=(0, 1)) / found.parameters[f"{node}/gamma"]
        np.testing.assert_allclose(spread, 1, rtol=1e-3)
    for name in set(arrays) - {f"{node}/moving_{what}" for node in ("n2", "n4") for what in ("mean", "variance")}:
        np.testing.assert_array_equal(found.parameters[name], arrays[name])
