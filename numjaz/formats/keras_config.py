"""A Keras model's configuration, of Keras 2 or 3, as nodes.

Models within models are flattened: the layer ``conv`` of a model ``trunk`` becomes the node
``trunk/conv``. A layer called a second time becomes a second node, ``conv:1``, with the same arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from numjaz.errors import NumjazError
from numjaz.formats.keras_classes import Config
from numjaz.formats.keras_layers import check_known, is_operation, layer_of
from numjaz.formats.keras_masks import check_masks
from numjaz.layers import BatchNormalization, Input, Layer, LayerNormalization, MultiHeadAttention, TimeDistributed
from numjaz.nodes import LENGTHS, MAX_NODES, Node, output_key, output_shapes

Source = tuple[str, int]  # a node, and which of its outputs
MAX_NESTING = 16
MODELS = ("Sequential", "Functional", "Model")
ARGUMENTS = ("inputs", "sequences", "query", "initial_state", "value", "key")  # outputs of layers, in layers' order


@dataclass(frozen=True)
class KerasLayer:
    """A layer as Keras lists it: its name and class, the node that owns its arrays, or a model's own layers."""

    name: str
    kind: str
    owner: str = ""
    layers: tuple[KerasLayer, ...] = ()


class Described(NamedTuple):
    """What a configuration describes."""

    nodes: list[Node]
    outputs: list[str]
    layers: tuple[KerasLayer, ...]  # in Keras's order, which is the order of its files


class _Call(NamedTuple):
    """One call of a layer: what it is called on, in order, and with which options."""

    sources: list[tuple[str, int, int]]  # layer, which of its calls, which output
    options: dict[str, Any]


def described(model: Config, source: str, keras: int | None) -> Described:
    """Nodes in the order of execution, output names, and Keras's own list of layers.

    Parameters
    ----------
    model : mapping
        The configuration: ``class_name`` and ``config``.
    source : str
        The file, for messages.
    keras : int or None
        2 or 3: who wrote it. Some names mean two things.

    Raises
    ------
    NumjazError
        Naming the layer and the entry that numjaz does not honour.
    """
    try:
        if model["class_name"] not in MODELS:
            raise NumjazError(
                f"{source}: a {model['class_name']!r:.60} model carries no list of layers; "
                f"architecture= gives its weights a network"
            )
        reader = _Reader(keras)
        outputs, layers = reader.model(model, "", "", None, 0)
        check_masks(reader.nodes)
        nodes = _canonical(reader.nodes, reader.operations)
        return Described(nodes, [output_key(*output) for output in outputs], layers)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise NumjazError(
            f"{source}: the model's configuration is not as Keras writes it ({type(error).__name__}: {error})"
        ) from None


class _Reader:
    """Collects nodes while it walks through a model and the models in it."""

    def __init__(self, keras: int | None) -> None:
        self.keras = keras
        self.nodes: list[Node] = []
        self.operations: list[str] = []  # nodes that are x + y and the like

    def model(
        self, entry: Config, prefix: str, owners: str, given: list[Source] | None, folds: int
    ) -> tuple[list[Source], tuple[KerasLayer, ...]]:
        """A model's outputs and layers; ``given`` are the inputs of one that is called in another.

        ``prefix`` begins the names of this call's nodes, ``owners`` those of the first call's; ``folds``
        is how many `TimeDistributed` the model stands in.
        """
        if prefix.count("/") > MAX_NESTING:
            raise RecursionError("models in models")
        config = entry["config"]
        if entry["class_name"] == "Sequential":
            return self._sequential(config, prefix, owners, given, folds)
        return self._functional(config, prefix, owners, given, folds)

    def _sequential(
        self, config: Any, prefix: str, owners: str, given: list[Source] | None, folds: int
    ) -> tuple[list[Source], tuple[KerasLayer, ...]]:
        entries = config["layers"] if isinstance(config, dict) else config
        sources, kept = given, []
        if sources is None and entries[0]["class_name"] != "InputLayer":
            # Keras leaves the layer out where the first one states the shape, or where it came with the data.
            first = entries[0]["config"]
            shape = first.get("batch_input_shape") or first.get("batch_shape") or config.get("build_input_shape")
            if not isinstance(shape, list) or len(shape) < 2:
                raise NumjazError(f"layer {first.get('name')!r:.60}: the model states no input shape")
            sources = self._add(prefix + "input", owners + "input", Input(shape[-1], tuple(shape[1:-1])), [], 0)[:1]
        for part in entries:
            if part["class_name"] == "InputLayer" and given is not None:
                kept.append(KerasLayer(part["config"]["name"], "InputLayer"))
                continue
            made, layer = self._called(part, 0, sources or [], {}, prefix, owners, folds)
            sources = made[:1]
            kept.append(layer)
        return sources or [], tuple(kept)

    def _functional(
        self, config: Config, prefix: str, owners: str, given: list[Source] | None, folds: int
    ) -> tuple[list[Source], tuple[KerasLayer, ...]]:
        entries = {entry["config"]["name"]: entry for entry in config["layers"]}
        if len(entries) < len(config["layers"]):
            raise NumjazError("two layers of the model's configuration have one name")
        first = _first_calls(config)
        calls: dict[tuple[str, int], _Call] = {}
        for name, entry in entries.items():
            for k, call in enumerate(entry["inbound_nodes"] or [[]], start=first.get(name, 0)):
                calls[name, k] = _told(name, call)
        if len(self.nodes) + len(calls) > MAX_NODES:
            raise NumjazError(f"{len(calls):,} nodes; at most {MAX_NODES:,} make a network")
        made: dict[tuple[str, int], list[Source]] = {}
        if given is not None:
            names = [name for name, _, _ in _references(config["input_layers"])]
            if len(names) != len(given):
                raise NumjazError(f"model {prefix[:-1]!r:.60} has {len(names)} inputs and is called on {len(given)}")
            made = {(name, 0): [source] for name, source in zip(names, given, strict=True)}
        kept: dict[str, KerasLayer] = {name: KerasLayer(name, entries[name]["class_name"]) for name, _ in made}
        inputs = [(name, 0) for name, _, _ in _references(config["input_layers"])]  # in the order that Keras takes them
        for name, k in dict.fromkeys([*inputs, *_sorted(calls)]):
            if (name, k) not in made:
                sources = [made[source, call][output] for source, call, output in calls[name, k].sources]
                made[name, k], layer = self._called(
                    entries[name], k - first.get(name, 0), sources, calls[name, k].options, prefix, owners, folds
                )
                kept.setdefault(name, layer)
        outputs = [made[name, call][output] for name, call, output in _references(config["output_layers"])]
        return outputs, tuple(kept[name] for name in entries)

    def _called(
        self,
        entry: Config,
        k: int,
        sources: list[Source],
        options: dict[str, Any],
        prefix: str,
        owners: str,
        folds: int,
    ) -> tuple[list[Source], KerasLayer]:
        """The k-th call of a layer: its outputs. A model within is walked through."""
        kind, name = entry["class_name"], entry["config"]["name"]
        if not isinstance(name, str) or not name or ("/" in name and ".." in name.split("/")):
            raise NumjazError(f"a layer cannot be named {name!r:.60}")
        at, owner = f"{prefix}{name}" + (f":{k}" if k else ""), owners + name
        inner, inner_folds = entry, folds
        while inner["class_name"] == "TimeDistributed":
            inner, inner_folds = inner["config"]["layer"], inner_folds + 1
        if inner["class_name"] in MODELS:
            _refuse_options(options, name)
            outputs, layers = self.model(inner, at + "/", owner + "/", sources, inner_folds)
            if inner is not entry:
                layers = (KerasLayer(inner["config"]["name"], inner["class_name"], layers=layers),)
            return outputs, KerasLayer(name, kind, layers=layers)
        layer = layer_of(entry, self.keras)
        if is_operation(entry):
            self.operations.append(at)
        if isinstance(layer, MultiHeadAttention):
            known = {"causal": options.pop("use_causal_mask", False)}
            known["scores"] = options.pop("return_attention_scores", False)
            layer = replace(layer, **known)
        _refuse_options(options, name)
        return self._add(at, owner, layer, sources, folds), KerasLayer(name, kind, owner)

    def _add(self, name: str, owner: str, layer: Layer, sources: list[Source], folds: int) -> list[Source]:
        for _ in range(folds):
            layer = TimeDistributed(layer)
        self.nodes.append(Node(name, layer, tuple(sources), owner))
        if len(self.nodes) > MAX_NODES:
            raise NumjazError(f"{len(self.nodes):,} nodes; at most {MAX_NODES:,} make a network")
        return [(name, output) for output in range(16)]  # which of them there are, the shapes say


def _first_calls(config: Config) -> dict[str, int]:
    """How each model within numbers its first call, by what others take from it.

    Keras 3 begins with 0. Keras 2 begins with 1 where the model has inputs of its own: building it was 0.
    """
    seen = _references(config["output_layers"])
    for entry in config["layers"]:
        if entry["class_name"] not in MODELS:
            check_known(entry)
        seen += [source for call in entry["inbound_nodes"] for source in _told(entry["config"]["name"], call).sources]
    first: dict[str, int] = {}
    for name, k, _ in seen:
        first[name] = min(k, first.get(name, k))
    models = {entry["config"]["name"] for entry in config["layers"] if entry["class_name"] in MODELS}
    return {name: k for name, k in first.items() if name in models and 0 <= k <= 1}


def _sorted(calls: dict[tuple[str, int], _Call]) -> list[tuple[str, int]]:
    """The calls, each after those that it takes its inputs from."""
    graph = {key: [(name, k) for name, k, _ in call.sources] for key, call in calls.items()}
    missing = [name for sources in graph.values() for name, k in sources if (name, k) not in calls]
    if missing:
        raise NumjazError(f"a layer is called on {missing[0]!r:.60}, which is not among the model's layers")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise NumjazError(f"layer {error.args[1][0][0]!r:.60} takes its input, at some remove, from itself") from None


def _told(name: Any, call: Any) -> _Call:
    """A call's arguments; what is wrong with them names the layer."""
    try:
        return _call(call)
    except NumjazError as error:
        raise NumjazError(f"layer {name!r:.60}: {error}") from None


def _call(call: Any) -> _Call:
    """A call's arguments, in order, as Keras 2 and Keras 3 write them."""
    if isinstance(call, dict):  # Keras 3
        sources, keywords = _references(call["args"]), dict(call.get("kwargs", {}))
    else:
        sources, keywords = _references(call), {}
        for argument in call:
            if isinstance(argument, list) and len(argument) == 4:
                keywords |= argument[3]
    for name in ARGUMENTS:
        if keywords.get(name) is not None:
            sources += _references(keywords.pop(name))
    given = {name: value for name, value in keywords.items() if value not in (None, False)}
    return _Call(sources, {n: v for n, v in given.items() if not isinstance(v, list) or any(x is not None for x in v)})


def _refuse_options(options: dict[str, Any], name: str) -> None:
    for key in options:
        raise NumjazError(f"layer {name!r:.60} is called with {key}, which numjaz does not honour")


def _references(value: Any) -> list[tuple[str, int, int]]:
    """The outputs of layers that an argument names, in order: (layer, which of its calls, which output)."""
    if isinstance(value, dict) and "keras_history" in value.get("config", {}):
        return [_reference(*value["config"]["keras_history"])]
    if isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str):
        return [_reference(*value[:3])]
    if isinstance(value, list):
        return [found for entry in value for found in _references(entry)]
    if isinstance(value, dict) and value and "class_name" not in value:  # outputs by name
        return [found for key in sorted(value) for found in _references(value[key])]
    raise NumjazError(f"called on {value!r:.60}, which is not another layer's output; a layer of its own would be read")


def _reference(name: Any, k: Any, output: Any) -> tuple[str, int, int]:
    if not isinstance(name, str) or type(k) is not int or type(output) is not int or not 0 <= output < 16:
        raise NumjazError(f"output {output!r:.60} of layer {name!r:.60} is not read")
    return name, k, output


def _canonical(nodes: Sequence[Node], operations: Sequence[str]) -> list[Node]:
    """The same nodes; an axis that is the last is written -1, whatever the number of axes.

    An operation on inputs of different numbers of axes meets them from the last, a layer from the first.
    """
    shapes = output_shapes(nodes, LENGTHS[0])
    for node in nodes:
        if node.name in operations and len({len(shapes[source][k]) for source, k in node.inputs}) != 1:
            raise NumjazError(f"layer {node.name!r:.60}: an operation on inputs of different axes; use keras.layers")
    made = []
    for node in nodes:
        layer = node.layer
        if isinstance(layer, (BatchNormalization, LayerNormalization)):
            source, output = node.inputs[0]
            rank = len(shapes[source][output])
            if layer.axis in (rank, (rank,)):
                axis = -1 if isinstance(layer, BatchNormalization) else (-1,)
                layer = replace(layer, axis=axis)  # type: ignore[arg-type]
        made.append(replace(node, layer=layer))
    return made
