"""Real Keras: what rounding does in it stays inside the bounds and near them; float16 policies are agreement."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from rounding_pairs import coarse, judged, measured

import numjaz
from numjaz.compare.divergence import compare, excite
from numjaz.compare.runs import Run

keras = pytest.importorskip("keras")
from numjaz.frameworks import record  # noqa: E402
from numjaz.frameworks.keras import keras_model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own
SMALL = numjaz.jazbat(features=3, classes=6, reduction=6, units=8, modules=2)
TRAINED = numjaz.load("jazbat-watch-3d-activity")


def run_of(model: numjaz.Model, policy: str, fault: Any = lambda twin: None) -> Run:
    twin = coarse(keras, keras_model(model), policy)
    fault(twin)
    (x,) = excite(model).values()
    return record(twin, x if policy == "mixed_float16" else x.astype(np.float16))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_sample_of_random_networks(dtype: str, tmp_path: Any, capsys: Any) -> None:
    rows = list(measured("keras", dtype, 20, named=False))
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert judged(str(tmp_path / "rows.jsonl"), least=100, recurrent=5, expected=0.8), capsys.readouterr().out


@pytest.mark.parametrize("policy", ["float16", "mixed_float16"])
@pytest.mark.parametrize("name", ["small", "trained"])
def test_float16_is_agreement(name: str, policy: str) -> None:
    model = {"small": SMALL, "trained": TRAINED}[name]
    run = run_of(model, policy)
    assert {str(array.dtype) for array in run.outputs.values()} == {"float16"}
    assert {str(array.dtype) for array in run.inputs.values()} == {
        "float32" if policy == "mixed_float16" else "float16"
    }
    found = compare(model, run)
    assert found.agree, [each for each in found.nodes if each.fault]


@pytest.mark.parametrize("policy", ["float16", "mixed_float16"])
@pytest.mark.parametrize("layer", ["module1_branch5", "module2_merge", "reduction"])
def test_a_tenth_of_a_kernel_is_found(layer: str, policy: str) -> None:
    def more(twin: Any) -> None:
        first, *rest = twin.get_layer(layer).get_weights()
        twin.get_layer(layer).set_weights([np.asarray(1.1 * first.astype(np.float64), first.dtype), *rest])

    found = compare(SMALL, run_of(SMALL, policy, more))
    assert (found.agree, found.node) == (False, layer)


@pytest.mark.parametrize("policy", ["float16", "mixed_float16"])
def test_a_file_that_declares_float16_agrees_with_what_keras_makes_of_it(policy: str, tmp_path: Any) -> None:
    twin = coarse(keras, keras_model(SMALL), policy)
    twin.save(tmp_path / "half.keras")
    (x,) = excite(SMALL).values()
    run = record(keras.models.load_model(tmp_path / "half.keras"), x.astype(np.float16))
    found = numjaz.compare(tmp_path / "half.keras", run)
    assert found.agree, [each for each in found.nodes if each.fault]
