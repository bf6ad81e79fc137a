"""A network: named nodes, each a layer and where its inputs come from, and the layers' arrays."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from numjaz.contract import Contract
from numjaz.errors import NumjazError
from numjaz.inputs import check_finite, checked_input
from numjaz.layers import Array, Input, Shape
from numjaz.nodes import (
    LENGTHS,
    WINDOW,
    Node,
    checked_arrays,
    output_key,
    output_shapes,
    owned_parameters,
    parameter_table,
    source_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numjaz.engine.incremental import State
    from numjaz.learn.history import History

BLOCK = 128  # windows computed at a time: bounds the memory of `reference`


class Golden(NamedTuple):
    """A test case that travels with a network: an input and what it must give.

    Arrays as `Model.predict` takes and gives them: dicts where there are several.
    """

    x: Array | Mapping[str, Array]  # (N, T, F)
    y: Array | Mapping[str, Array]  # (N, C)


class Model:
    """An immutable network: nodes in the order of execution, and read-only arrays.

    Parameters
    ----------
    nodes : iterable of Node
        Each after the nodes that it takes its inputs from.
    parameters : mapping of str to array
        ``{"owner/name": array}``, as ``parameter_table`` lists them.
    outputs : sequence of str, optional
        Names of the nodes whose outputs are the network's, ``"node[1]"`` being a node's second; the
        last node where not given.
    classes : sequence of str, optional
        A name for each column of the (first) output.
    contract : Contract, optional
        What the network expects of a recording.
    provenance : mapping, optional
        Where the weights come from: plain values that JSON can hold.
    golden : Golden, optional
        A test case.

    Raises
    ------
    NumjazError
        Where the nodes do not fit together, or the arrays do not fit the nodes.

    Examples
    --------
    >>> import numjaz, numpy as np
    >>> model = numjaz.jazbat(features=1, classes=6)
    >>> model.predict(np.zeros((2, 256, 1), dtype=np.float32)).shape
    (2, 6)
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        parameters: Mapping[str, Array],
        *,
        outputs: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        contract: Contract | None = None,
        provenance: Mapping[str, Any] | None = None,
        golden: Golden | None = None,
    ) -> None:
        self.nodes = tuple(nodes)
        if not self.nodes:
            raise NumjazError("a network needs at least one node")
        self.outputs = tuple(outputs) if outputs is not None else (self.nodes[-1].name,)
        self.contract = contract
        self.provenance = MappingProxyType(dict(provenance or {}))
        self.golden = golden
        self.inputs = tuple(node.name for node in self.nodes if isinstance(node.layer, Input))
        known = {node.name for node in self.nodes}
        missing = [name for name in self.outputs if source_of(name)[0] not in known]
        if missing or not self.outputs or not self.inputs:
            raise NumjazError(
                f"no node is named {missing[0]!r}" if missing else "a network needs an input and an output"
            )
        if len(set(self.outputs)) < len(self.outputs):
            raise NumjazError("an output is named twice")
        self.parameter_table = parameter_table(self.nodes)
        ends = output_shapes(self.nodes, LENGTHS[0])
        absent = [name for name in self.outputs if len(ends[source_of(name)[0]]) <= source_of(name)[1]]
        if absent:
            raise NumjazError(f"node {source_of(absent[0])[0]!r} has no output {source_of(absent[0])[1]}")
        self.parameters: Mapping[str, Array] = MappingProxyType(checked_arrays(self.parameter_table, parameters))
        self._plans = threading.local()  # a plan's memory is one, so each thread has its own
        self._cast: dict[np.dtype[Any], dict[str, dict[str, Array]]] = {}
        self.classes = tuple(classes) if classes is not None else None
        if self.classes is not None:
            node, k = source_of(self.outputs[0])
            columns = ends[node][k][-1]
            for name in self.classes:
                if not isinstance(name, str) or not name.isprintable():
                    raise NumjazError(f"a class cannot be named {name!r:.60}")
            if len(self.classes) != columns or len(set(self.classes)) != columns:
                raise NumjazError(f"{columns} outputs need {columns} different class names, not {len(self.classes)}")

    def predict(self, x: Array | Mapping[str, Array]) -> Any:
        """The network's output.

        Parameters
        ----------
        x : array (N, T, F), float32 or float64
            N windows of T samples of F features; a dict ``{input node: array}`` for several inputs.

        Returns
        -------
        array (N, C), or a dict by output name where the network has several.
            In the dtype of ``x``.

        Raises
        ------
        NumjazError
            For a wrong shape or dtype, or a value that is not finite: it names the axis.
        """
        from numjaz.engine import plan_for

        given = self.checked(x, finite=False)
        first = next(iter(given.values()))
        return plan_for(self, self._plans.__dict__, len(first), first.dtype).predict(given)

    def start(self, batch: int = 1, dtype: Any = np.float32) -> State:
        """What a causal network knows before the first sample, for `step`.

        A network is causal where no node looks ahead, reads from the end, or changes the number of
        samples: causal convolutions, recurrent layers, whatever treats each sample by itself; global
        pooling and a recurrent layer's last output are those of all samples so far.

        Raises
        ------
        NumjazError
            Where a node is not causal: it is named.

        Examples
        --------
        >>> from numjaz.layers import Conv1D
        >>> taps = np.full((3, 1, 1), 1 / 3)
        >>> mean = Model([Node("x", Input(1)), Node("y", Conv1D(1, 3, "causal", use_bias=False), (("x", 0),))],
        ...              {"y/kernel": taps})
        >>> state = mean.start(dtype=np.float64)
        >>> for sample in (3.0, 6.0, 9.0):
        ...     y, state = mean.step(state, np.full((1, 1, 1), sample))
        ...     print(y.item())
        1.0
        3.0
        6.0
        """
        from numjaz.engine.incremental import start

        return start(self, batch, dtype)

    def step(self, state: State, chunk: Array | Mapping[str, Array]) -> tuple[Any, State]:
        """The outputs for the next samples (N, t, F), and the state after them.

        Put together, the outputs are `predict`'s of all samples at once, within rounding.
        """
        from numjaz.engine.incremental import step

        return step(self, state, chunk)

    def reference(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by its name, by the layers as they are stated; inputs as `checked` gives them."""
        count = len(next(iter(given.values())))
        parts = [
            self._run({name: array[a : a + BLOCK] for name, array in given.items()}, keep=False)
            for a in range(0, max(count, 1), BLOCK)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}

    def activations(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """Every node's output by its name, ``node[1]`` its second, for inputs as `predict` takes them."""
        return self._run(self.checked(x), keep=True)

    def replace(self, arrays: Mapping[str, Array]) -> Model:
        """A new model with some arrays exchanged; this one stays as it is.

        What was said of the old arrays, the golden case and the judgement, is not taken along.
        """
        unknown = sorted(set(arrays) - set(self.parameters))
        if unknown:
            raise NumjazError(f"no parameter is named {unknown[0]!r}; the names are in model.parameters")
        provenance = {key: value for key, value in self.provenance.items() if key != "judged"}
        provenance["replaced"] = sorted({*self.provenance.get("replaced", ()), *arrays})
        return self.derive(parameters={**self.parameters, **arrays}, golden=None, provenance=provenance)

    def derive(self, **changes: Any) -> Model:
        """A new model with other ``parameters``, ``outputs``, ``classes``, ``contract``, ``provenance``, ``golden``."""
        return Model(self.nodes, **{**self._given, **changes})

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled and copied as it was made: what else it holds, plans and casts, is made again when it is needed.
        return partial(Model, **self._given), (self.nodes,)

    @property
    def _given(self) -> dict[str, Any]:
        """What makes this network of its nodes."""
        plain = {name: getattr(self, name) for name in ("outputs", "classes", "contract", "golden")}
        return {**plain, "parameters": dict(self.parameters), "provenance": dict(self.provenance)}

    @property
    def fixed_window(self) -> int | None:
        """Samples in a window where the inputs allow no others; None where a length is free, or there is none."""
        axes = [size for node in self.nodes if isinstance(node.layer, Input) for size in node.layer.axes]
        return axes[0] if axes and None not in axes else None

    @property
    def window(self) -> int:
        """Samples in a window where none are asked for: what the inputs fix, else the contract's number, else 256."""
        return self.fixed_window or (self.contract.window if self.contract else WINDOW)

    def shapes(self, window: int | None = None) -> dict[str, Shape]:
        """Every output's shape without the batch axis, for windows of so many samples.

        The samples take the place of free lengths; without them, `window` does.
        """
        made = output_shapes(self.nodes, window if window is not None else self.window)
        return {output_key(name, k): shape for name, shapes in made.items() for k, shape in enumerate(shapes)}

    def summary(self, window: int | None = None) -> str:
        """The table of nodes, as text: layer, output shape, parameters, inputs."""
        from numjaz.report import table

        shapes, left, rows = self.shapes(window), owned_parameters(self.nodes), []
        for node in self.nodes:
            own = left.pop(node.owner, {})  # shared arrays count where they first stand
            made = [shapes[key] for key in shapes if source_of(key)[0] == node.name]
            shape = ", ".join(" x ".join(map(str, shape)) for shape in made)
            count = sum(int(np.prod(p.shape)) for p in own.values())
            rows.append(
                [node.name, str(node.layer), shape, f"{count:,}", ", ".join(output_key(*s) for s in node.inputs)]
            )
        sizes = [(int(np.prod(p.shape)), p.trainable) for p in self.parameter_table.values()]
        total, trainable = sum(n for n, _ in sizes), sum(n for n, moved in sizes if moved)
        text = table(["node", "layer", "output", "params", "inputs"], rows, right=(3,))
        return f"{text}\n{total:,} parameters, {trainable:,} of them trainable"

    def fit(self, x: Any, y: Any, groups: Any = None, **options: Any) -> tuple[Model, History]:
        """Train it on windows ``x`` (N, T, F), of classes ``y`` and of people ``groups``; the model stays as it is.

        Options are those of `numjaz.learn.training.fit`: a ``recipe``, ``validation``, a ``checkpoint``.

        Examples
        --------
        >>> import numjaz
        >>> from numjaz.learn.recipe import Recipe
        >>> x = np.zeros((6, 32, 1), np.float32)
        >>> x[::2, ::2] = 1
        >>> model = numjaz.jazbat(classes=("shaken", "still"))
        >>> trained, history = model.fit(x, ["shaken", "still"] * 3, recipe=Recipe(epochs=5, learning_rate=0.01))
        >>> [trained.classes[k] for k in trained.predict(x[:2]).argmax(axis=1)]
        ['shaken', 'still']
        """
        from numjaz.learn.training import fit

        return fit(self, x, y, groups=groups, **options)

    def save(self, path: str | Path, format: str | None = None, **options: Any) -> None:
        """Write a file, whole or not at all: numjaz's own HDF5, or what `numjaz.formats.saving.save` lists."""
        from numjaz.formats.saving import save

        save(self, path, format, **options)

    def _run(self, given: Mapping[str, Array], *, keep: bool) -> dict[str, Array]:
        """Execute the nodes; without ``keep``, each output is let go after its last use."""
        params = self.arrays(next(iter(given.values())).dtype)
        last_use = {source: node.name for node in self.nodes for source, _ in node.inputs}
        wanted = {source_of(name)[0] for name in self.outputs}
        made: dict[str, tuple[Array, ...]] = {}
        for node in self.nodes:
            inputs = tuple(made[name][k] for name, k in node.inputs) if node.inputs else (given[node.name],)
            try:
                node.layer.output_shapes(tuple(x.shape[1:] for x in inputs))  # refuses lengths that do not fit here
                made[node.name] = node.layer.forward(params[node.owner], inputs).outputs
            except NumjazError as error:
                raise NumjazError(f"node {node.name!r}: {error}") from None
            if not keep:
                for source, _ in node.inputs:
                    if last_use[source] == node.name and source not in wanted:
                        made.pop(source, None)
        named = {output_key(name, k): array for name, arrays in made.items() for k, array in enumerate(arrays)}
        return named if keep else {name: named[name] for name in self.outputs}

    def arrays(self, dtype: np.dtype[Any]) -> dict[str, dict[str, Array]]:
        """The arrays by owner and name, cast to ``dtype`` once."""
        if dtype not in self._cast:
            self._cast[dtype] = {
                owner: {name: self.parameters[f"{owner}/{name}"].astype(dtype) for name in own}
                for owner, own in owned_parameters(self.nodes).items()
            }
        return self._cast[dtype]

    def checked(self, x: Array | Mapping[str, Array], *, finite: bool = True) -> dict[str, Array]:
        """Inputs by name, as `predict` takes them; `NumjazError` where they do not fit, or are not ``finite``."""
        if not isinstance(x, Mapping):
            if len(self.inputs) != 1:
                raise NumjazError(
                    f"this network has {len(self.inputs)} inputs: pass a dict with {', '.join(self.inputs)}"
                )
            x = {self.inputs[0]: x}
        if set(x) != set(self.inputs):
            raise NumjazError(f"the inputs are {', '.join(self.inputs)}, not {', '.join(map(str, x)) or 'none'}")
        layers = {node.name: node.layer for node in self.nodes if isinstance(node.layer, Input)}
        checked = {name: checked_input(np.asarray(x[name]), layers[name]) for name in self.inputs}
        for array in checked.values() if finite else ():
            check_finite(array)
        if len({(len(array), array.dtype) for array in checked.values()}) != 1:
            raise NumjazError("the inputs differ in axis 0 (windows) or in dtype")
        return checked
