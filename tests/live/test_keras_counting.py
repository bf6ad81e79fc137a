"""TensorFlow's v1 profiler on the Keras twin: the same integers as its convention."""

from __future__ import annotations

import os

import pytest
from counting_networks import NETWORKS, random_network

import numjaz

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
if keras.__version__.startswith("2."):
    pytest.skip("the convention is stated for current TensorFlow", allow_module_level=True)
from numjaz.frameworks.keras import keras_model  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own
WINDOWS = (64, 256) if os.environ.get("NUMJAZ_GRID") else (64,)


def profiled(model: numjaz.Model, window: int, batch: int) -> int:
    """Float operations of the twin's graph, every size given: where one is free, convolutions count nothing."""
    keras.config.set_floatx("float32")
    twin = keras_model(model)
    spec = tf.TensorSpec((batch, window, twin.input_shape[-1]), tf.float32)
    graph = tf.function(lambda x: twin(x, training=False)).get_concrete_function(spec).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph=graph, cmd="op", options=options).total_float_ops


def test_random_networks() -> None:
    seeds, compared = range(100 if os.environ.get("NUMJAZ_GRID") else 15), 0
    for seed in seeds:
        model = random_network(seed)
        try:
            printed = profiled(model, 64, 2)
        except numjaz.NumjazError:  # Keras has no word for it
            continue
        assert printed == numjaz.count(model, "tf-profiler", 64, batch=2).macs, model.summary(64)
        compared += 1
    assert compared > len(seeds) / 2


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_profiler_prints_the_same(network: str, window: int, batch: int) -> None:
    model = NETWORKS[network]()
    assert profiled(model, window, batch) == numjaz.count(model, "tf-profiler", window, batch=batch).macs
