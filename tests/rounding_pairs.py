"""What rounding does in real frameworks, beside what it can do: bounds that hold, and are not empty.

    python tests/rounding_pairs.py --with torch results.jsonl      one framework a process; results are appended
    python tests/rounding_pairs.py results.jsonl                   the table; exit code 1 where a limit is broken

Limits: no node beyond its bound; at least 10,000 comparisons, 500 of recurrent layers; of what differs at all, the
median of bound over difference at most 100 for products and for recurrences, the largest of each node taken; the
expected size within ten times in nine of ten.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from counting_networks import NETWORKS, random_network
from hypothesis import HealthCheck, Phase, given, seed, settings
from random_models import cases

import numjaz
from numjaz import Model, NumjazError
from numjaz.compare.divergence import compare, excite
from numjaz.compare.runs import Run
from numjaz.formats.shipped import shipped_models
from numjaz.layers import Layer

SHIPPED = shipped_models()
BATCHES = (1, 2, 8, 24, 3, 64, 5, 256)
FAMILIES = {
    "recurrences": ("GRU", "LSTM", "SimpleRNN", "Bidirectional"),
    "products": ("Dense", "Conv1D", "DepthwiseConv1D", "SeparableConv1D", "MultiHeadAttention"),
    "normalizations": ("BatchNormalization", "LayerNormalization", "Normalization", "Rescaling"),
    "functions": ("Activation", "Softmax", "ELU", "PReLU", "ReLU"),
    "sums": ("Add", "Subtract", "Multiply", "Average", "AveragePooling1D", "GlobalAveragePooling1D"),
}
LEAST, RECURRENT, MEDIAN, WITHIN, SHARE = 10_000, 500, 100.0, 10.0, 0.9

Framework = Callable[[Model, dict[str, np.ndarray], str], Run]


def family(layer: Layer) -> str:
    """What a layer computes, in a word; what only moves or chooses numbers is a ``move``."""
    while hasattr(layer, "layer"):
        layer = layer.layer
    kind = type(layer).__name__
    return next((name for name, kinds in FAMILIES.items() if kind in kinds), "moves")


def torch_run(model: Model, x: dict[str, np.ndarray], dtype: str) -> Run:
    """The twin, in torch's own modules."""
    import torch

    from numjaz.frameworks.torch import torch_module

    torch.set_num_threads(2)
    tensors = {name: torch.from_numpy(array.astype(dtype)) for name, array in x.items()}
    with torch.no_grad():
        made = torch_module(model).to(getattr(torch, dtype)).activations(tensors)
    return Run("torch", {n: t.numpy() for n, t in tensors.items()}, {n: t.numpy() for n, t in made.items()})


def typed_run(model: Model, x: dict[str, np.ndarray], dtype: str) -> Run:
    """A module that somebody typed, its weights copied from the twin, recorded by hooks: channels before time."""
    import torch

    sys.path.append(str(Path(__file__).parent / "live"))
    from torch_forms import Typed

    from numjaz.frameworks import record
    from numjaz.frameworks.torch import torch_module

    if any(getattr(node.layer, "padding", "same") != "same" for node in model.nodes):
        raise NumjazError("typed with padding on both sides alone")
    form = ("", "padding same", "ReLU modules")[len(model.nodes) % 3]
    try:
        module = Typed(model, form)
        state = {f"made.{name}": tensor for name, tensor in torch_module(model).state_dict().items()}
        module.load_state_dict(state)
        for name, part in module.made.items():
            if hasattr(part, "eps"):
                part.eps = next(node.layer.epsilon for node in model.nodes if node.name == name)
        run = record(module.to(getattr(torch, dtype)), next(iter(x.values())).astype(dtype))
    except (KeyError, RuntimeError, AttributeError, TypeError) as error:
        raise NumjazError(f"not typed by hand: {error}") from None
    return Run("torch, typed", run.inputs, {name.removeprefix("made."): array for name, array in run.outputs.items()})


def keras_run(model: Model, x: dict[str, np.ndarray], dtype: str) -> Run:
    """The twin, in Keras's own layers; float16 by the policy of that name, by turns by the mixed one."""
    import keras

    from numjaz.frameworks import record
    from numjaz.frameworks.keras import keras_model

    twin = keras_model(model)
    if dtype == "float16":
        policy = "mixed_float16" if len(model.nodes) % 2 else "float16"
        twin = coarse(keras, twin, policy)
        given = {name: array.astype("float32" if policy == "mixed_float16" else dtype) for name, array in x.items()}
    else:
        given = x
    there = {each.name.partition(":")[0]: given[name] for each, name in zip(twin.inputs, model.inputs, strict=True)}
    run = record(twin, there if len(there) > 1 else given[model.inputs[0]])
    return Run("keras", given, run.outputs)


def coarse(keras: Any, twin: Any, policy: str) -> Any:
    """The same Keras model under another policy."""

    def typed(part: Any) -> Any:
        if isinstance(part, dict) and part.get("class_name") == "InputLayer":
            return part
        if isinstance(part, dict):
            part = {key: typed(value) for key, value in part.items()}
            if "dtype" in part and "name" in part:
                part["dtype"] = policy
            return part
        return [typed(each) for each in part] if isinstance(part, (list, tuple)) else part

    made = keras.Model.from_config(typed(twin.get_config()))
    made.set_weights(twin.get_weights())
    return made


def onnx_run(model: Model, x: dict[str, np.ndarray], dtype: str) -> Run:
    """The graph that numjaz writes, in ONNX Runtime: float32 alone."""
    import tempfile

    from numjaz.frameworks import serve

    if dtype != "float32":
        raise NumjazError("the graph is float32")
    with tempfile.TemporaryDirectory() as folder:
        request = serve.Request("onnxruntime", "", folder, None, None, "")
        model.save(request.file(serve.NETWORK))
        return serve.FRAMEWORKS["onnxruntime"](request, x)


FRAMEWORKS: dict[str, Framework] = {"torch": torch_run, "typed": typed_run, "keras": keras_run, "onnxruntime": onnx_run}


def networks(count: int, named: bool = True) -> Iterator[tuple[str, Model, dict[str, np.ndarray]]]:
    """Shipped networks, named ones, chains, and networks of every layer there is; each with its inputs."""
    k = 0
    for name in SHIPPED if named else ():
        model = numjaz.load(name)
        for batch in (1, 8, 24):
            yield name, model, windows(model, batch, 256, k := k + 1)
    for name, make in NETWORKS.items() if named else ():
        for batch in (2, 24):
            yield name, make(), windows(make(), batch, 64, k := k + 1)
    for number in range(count):
        model = random_network(number)
        x = windows(model, BATCHES[number % len(BATCHES)], 64, number)
        yield f"chain {number}", scaled(model, number), x
    for number, (model, x) in enumerate(drawn(count)):
        yield f"drawn {number}", model, x if isinstance(x, dict) else {model.inputs[0]: x}


def windows(model: Model, batch: int, length: int, number: int) -> dict[str, np.ndarray]:
    """So many windows of the sizes of numbers that `excite` makes, and now and then of ten times that."""
    repeated = excite(model, None if model.contract else length, number)
    order = np.random.default_rng(number).permutation(max(batch, len(next(iter(repeated.values())))))[:batch]
    size = np.float32(10 if number % 7 == 0 else 1)
    return {name: size * array[order % len(array)] for name, array in repeated.items()}


def scaled(model: Model, number: int) -> Model:
    """Weights as training leaves them: biases and statistics that are not 0 and 1, some large."""
    rng = np.random.default_rng(number)
    held = {}
    for name, array in model.parameters.items():
        if array.ndim == 1 or "bias" in name:
            array = array + rng.normal(0, (0.1, 1.0)[number % 5 == 0], array.shape)
        held[name] = (np.abs(array) + 0.01 if "variance" in name else array).astype(np.float32)
    return model.replace(held)


def drawn(count: int) -> list[tuple[Model, Any]]:
    """Networks of `random_models`, each once, without looking for small ones."""
    made: dict[str, tuple[Model, Any]] = {}

    @seed(0)
    @settings(max_examples=count, database=None, phases=[Phase.generate], deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(cases(dtype=np.float32))
    def draw(case: tuple[Model, Any]) -> None:
        model, x = case
        made[f"{model.nodes} {[array.tobytes() for array in (x.values() if isinstance(x, dict) else [x])]}"] = case

    draw()
    return list(made.values())


def measured(framework: str, dtype: str, count: int, named: bool = True) -> Iterator[dict[str, Any]]:
    """Each node of each network that the framework can build."""
    for name, model, x in networks(count, named):
        try:
            run = FRAMEWORKS[framework](model, x, dtype)
        except (NumjazError, NotImplementedError):
            continue
        except Exception as error:  # of the framework's own: float16 that it cannot compute, a layer called twice
            print(f"  {name}: {framework} has no {dtype} of it ({str(error).splitlines()[0]:.90})", file=sys.stderr)
            continue
        layers = {node.name: node.layer for node in model.nodes}
        for each in compare(model, run).nodes:
            layer = layers[each.name.partition("[")[0]]
            yield {
                "with": version(framework),
                "dtype": dtype,
                "network": name,
                "layer": str(layer),
                "family": family(layer),
                "isolated": each.isolated,
                "bound": each.bound,
                "expected": each.expected,
                "ratio": each.ratio,
            }


def version(framework: str) -> str:
    """The framework's name and version, and how it was used."""
    module = {"typed": "torch"}.get(framework, framework)
    held = sys.modules[module]
    backend = f" on {held.backend.backend()}" if module == "keras" and hasattr(held.backend, "backend") else ""
    return f"{module} {held.__version__}{backend}{', typed' if framework == 'typed' else ''}"


def judged(path: str, least: int = LEAST, recurrent: int = RECURRENT, expected: float = SHARE) -> bool:
    """Print the table; whether every limit holds."""
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        for key in (("all", row["dtype"], row["family"]), (row["with"], row["dtype"], row["family"])):
            groups.setdefault(key, []).append(row)
    print(
        f"{'':38}{'':9}{'nodes':>7}{'exact':>7}{'most of':>9}{'bound / difference':>20}{'bound /':>9}{'expected in':>12}"
    )
    print(f"{'':38}{'':9}{'':7}{'':7}{'bound':>9}{'median':>10}{'9 of 10':>10}{'expected':>9}{'ten times':>12}")
    holds, within, judgeable = True, 0, 0
    order = [*FAMILIES, "moves"]
    for key in sorted(groups, key=lambda key: (key[0] != "all", key[0], key[1], order.index(key[2]))):
        held = groups[key]
        differ = [row for row in held if row["isolated"] > 0]
        room = sorted(row["bound"] / row["isolated"] for row in differ)
        near = [row for row in differ if 1 / WITHIN <= row["expected"] / row["isolated"] <= WITHIN]
        most = max(row["ratio"] for row in held)
        median, high = (float(np.quantile(room, q, method="higher")) if room else 0.0 for q in (0.5, 0.9))
        size = np.median([row["bound"] / row["expected"] for row in differ if row["expected"]]) if differ else 0.0
        broken = most > 1 or (key[0] == "all" and key[2] in ("products", "recurrences") and median > MEDIAN)
        holds &= not broken
        if key[0] == "all":
            within, judgeable = within + len(near), judgeable + len(differ)
        print(
            f"{key[0] + ', ' + key[1]:38}{'':1}{key[2][:14]:14}{len(held):>6}{len(held) - len(differ):>7}{most:>9.3f}"
            f"{median:>10.1f}{high:>10.1f}{size:>9.1f}{len(near) / max(len(differ), 1):>11.1%}{'  BROKEN' if broken else ''}"
        )
    steps = sum(row["family"] == "recurrences" for row in rows)
    share = within / max(judgeable, 1)
    print(
        f"{len(rows):,} comparisons, {steps:,} of recurrent layers; the expected size within {WITHIN:.0f} times in {share:.1%}"
    )
    unknown = sum(row["bound"] == np.inf for row in rows)
    print(f"{unknown} without a bound, counted as an infinite one")
    for row in rows:
        if row["ratio"] > 1:
            print(
                f"beyond its bound, {row['ratio']:.3g} times: {row['with']}, {row['dtype']}, {row['network']}, {row['layer']}"
            )
    return holds and len(rows) >= least and steps >= recurrent and share >= expected


def main() -> int:
    """Run one framework, or judge what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="a file of lines")
    parser.add_argument("--with", dest="framework", choices=FRAMEWORKS)
    parser.add_argument("--dtype", choices=("float32", "float16"), action="append")
    parser.add_argument("--count", type=int, default=300, help="random networks of each of the two kinds")
    args = parser.parse_args()
    if args.framework is None:
        return 0 if judged(args.results) else 1
    warnings.simplefilter("ignore")
    with Path(args.results).open("a") as file:
        for dtype in args.dtype or ("float32", "float16"):
            count = 0
            for row in measured(args.framework, dtype, args.count):
                file.write(json.dumps(row) + "\n")
                count += 1
            print(f"{args.framework} {dtype}: {count:,} nodes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
