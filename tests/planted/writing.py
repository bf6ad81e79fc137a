"""Cases chosen, run and written. Imports nothing of numjaz."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import keras_runs
import numpy as np
from corpus import Case, Corpus, relative
from faults import KNOWN, OUTSIDE, faults
from place import Family, Planted
from steps import Network
from subjects import Subject

TINY = 3e-7  # of a node's largest number: less than float32 shows
APART = 1e-5  # what each fault of a pair adds to the other
BATCHES, OFTEN = (1, 2, 4, 6, 8, 12, 16, 64, 256), (0.05, 0.05, 0.2, 0.15, 0.2, 0.15, 0.15, 0.04, 0.01)
AGREEING = (1, 3, 16, 64, 256)
SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)
PLAIN = ("Add", "Activation", "Multiply", "Concatenate", "ReLU", "LeakyReLU", "Dropout", "MaxPooling1D")
SIDES = ("before the activation", "after the activation")
NEVER_PAIRED = ("holds the arrays of", "statistics of the batch", *SIDES)
FEW, SAME = 4, 1e-8  # windows, and of their largest number: two faults that are one
DISAGREES = 1e-4  # of the largest number: the port is wrong

Arrays = dict[str, np.ndarray]


class Writer:
    """Writes cases of one part."""

    def __init__(self, corpus: Corpus, subjects: list[Subject], rng: np.random.Generator) -> None:
        self.corpus, self.subjects, self.rng = corpus, subjects, rng
        self.checked: set[tuple[str, str]] = set()  # runners and models that agreed with Keras
        self.faulted = [s for s in subjects if s.weights in ("random1", "trained")]

    def singles(self, runner: str, count: int) -> None:
        """One fault each, every family as often as it has places."""
        written = 0
        for subject, planted in self._spread(KNOWN):
            if written == count:
                return
            if runner == "port" or keras_runs.plantable(subject.steps, planted.network):
                written += self._single(runner, subject, planted, "single")

    def outside(self, count: int) -> None:
        """Faults that are in no catalogue."""
        written = 0
        for subject, planted in self._spread(OUTSIDE):
            if written == count:
                return
            written += self._single("port", subject, planted, "outside")

    def pairs(self, count: int) -> None:
        """Two faults each: half of them in one node."""
        written = {True: 0, False: 0}
        pools = {(s.file, n): list(faults(s.steps, n, s.other)) for s in self.faulted for n in s.steps}
        while sum(written.values()) < count:
            same = written[True] < written[False] + 1
            subject = self._one(self.faulted)
            names = [n for n in subject.steps if pools[subject.file, n]]
            first = self._of_a_family(pools[subject.file, self._one(names)])
            behind = [n for n in names if first.node in _above(subject.steps, n)]
            if not same and not behind:
                continue
            node = first.node if same else self._one(behind)
            second = self._of_a_family(list(faults(first.network, node, subject.other)))
            if second is not None:
                written[same] += self._pair(subject, first, second, same)

    def agreements(self, runner: str, count: int) -> None:
        """No fault at all."""
        written = tried = 0
        while written < count and tried < 4 * count:
            subject, batch, half = self.subjects[tried % len(self.subjects)], 0, bool(self.rng.random() < 0.3)
            tried += 1
            batch, scale = int(self.rng.choice(AGREEING, p=(0.25, 0.25, 0.3, 0.15, 0.05))), self._one(SCALES)
            written += self._agreement(runner, subject, subject.windows(self.rng, batch, scale), half)

    def _single(self, runner: str, subject: Subject, planted: Planted, kind: str) -> bool:
        batch = int(self.rng.choice(BATCHES, p=OFTEN))
        if planted.family == "statistics of the batch":
            batch = max(batch, 4)
        x = subject.windows(self.rng, batch)
        if runner == "onnx" and batch == 1:
            x = subject.windows(self.rng, 4)
        made = self._run(runner, subject, planted.network, x)
        if made is None or not all(np.isfinite(made[name]).all() for name in made):
            return False
        self._first(subject, planted, x, made)
        if runner != "port":
            self._alike_elsewhere(subject, planted, x, made)
        moved = self._moved(subject, planted, x, made)
        alike = self._alike(subject, planted, x) if kind == "single" else []
        told = [[*planted.expected, *dict.fromkeys(pattern for other in alike for pattern in other.expected)]]
        self._keep(
            (kind, runner, subject),
            x,
            self._laid_out(made) if planted.family not in ("padding", "strides ignored") else (made, []),
            ([planted.node], [planted.family], [planted.variant], told),
            moved,
        )
        return True

    def _pair(self, subject: Subject, first: Planted, second: Planted, same: bool) -> bool:
        paired = {first.family, second.family}
        if len(paired) == 1 or paired & set(NEVER_PAIRED) or (same and first.touched & second.touched):
            return False
        x = subject.windows(self.rng, int(self.rng.choice((4, 8, 12, 16))))
        right, one, both = (self._exact(network, x) for network in (subject.steps, first.network, second.network))
        alone = self._exact({**subject.steps, second.node: second.network[second.node]}, x)
        if same:  # the second alone is not known as such: its edit was made of the first's layer
            undone = self._undone(subject, second)
            alone = self._exact(undone, x) if undone else {}
        if second.node not in both or second.node not in alone or first.node not in both:
            return False
        seen = [relative(right[first.node], one[first.node]), relative(right[second.node], alone[second.node])]
        if same:
            seen += [relative(both[first.node], each[first.node]) for each in (right, one, alone)]
        made = self._run("port", subject, second.network, x)
        if same and self._alike(subject, second, x):  # what a single fault makes as well
            return False
        if min(seen) < APART or made is None or not all(np.isfinite(a).all() for a in made.values()):
            return False
        told = [list(planted.expected) for planted in (first, second)]
        faulty = [first.node], [first.family, second.family], [first.variant, second.variant], told
        self._keep(
            ("pair", "port", subject), x, (made, []), faulty, relative(right[first.node], both[first.node]), same
        )
        return True

    def _alike(self, subject: Subject, planted: Planted, x: np.ndarray) -> list[Planted]:
        """Other faults that make the very same of a node: none of them is the wrong answer."""
        try:
            import port
        except ImportError:
            return []
        if planted.family in SIDES:
            return []
        few = self._exact(subject.steps, x[:FEW]) | {subject.input: x[:FEW]}
        given = [few[name] for name in subject.steps[planted.node].inputs]
        made = port.alone(planted.network[planted.node], given)
        found = []
        for other in faults(subject.steps, planted.node, subject.other):
            itself = (other.family, other.variant) == (planted.family, planted.variant)
            if not itself and other.family not in SIDES and made is not None:
                there = port.alone(other.network[planted.node], given)
                if there is not None and there.shape == made.shape and relative(made, there) < SAME:
                    found.append(other)
        return found

    def _undone(self, subject: Subject, second: Planted) -> Network | None:
        """The second fault of a node without the first."""
        alike = faults(subject.steps, second.node, subject.other)
        return next((p.network for p in alike if (p.family, p.variant) == (second.family, second.variant)), None)

    def _agreement(self, runner: str, subject: Subject, x: np.ndarray, half: bool) -> bool:
        half = half and runner != "onnx"
        try:
            made = self._half(runner, subject, x) if half else self._run(runner, subject, subject.steps, x)
        except NotImplementedError:  # what a backend does not compute in float16
            return False
        if made is None or not all(np.isfinite(a).all() for a in made.values()):
            return False
        if runner in ("port", "onnx") and not half and (runner, subject.file) not in self.checked:
            self._checked(subject, x, made)
            self.checked.add((runner, subject.file))
        made, notes = self._laid_out(made)
        if self.rng.random() < 0.3:
            made, left_out = self._lacking(subject, made)
            notes += [f"without {name}" for name in left_out]
        given = x.astype(np.float16) if half else x
        self._keep(("agree", runner, subject), given, (made, notes), ([], [], [], []), None)
        return True

    def _checked(self, subject: Subject, x: np.ndarray, made: Arrays) -> None:
        """That a port agrees with Keras."""
        for name, output in keras_runs.run(subject.model, x).items():
            if relative(output, made[name]) > DISAGREES:
                raise AssertionError(f"{subject.file}, {name}: {relative(output, made[name]):.1e} from Keras's")

    def _first(self, subject: Subject, planted: Planted, x: np.ndarray, made: Arrays) -> None:
        """That nothing is wrong before the node at fault."""
        if planted.family in SIDES:  # which hand on, and record, what no activation was applied to
            return
        right, names = self._right(subject, x), list(subject.steps)
        for name in names[1 : names.index(planted.node)]:
            if relative(right[name], made[name]) > DISAGREES:
                raise AssertionError(f"{subject.file}, {planted.family} in {planted.node}: {name} is wrong before it")

    def _alike_elsewhere(self, subject: Subject, planted: Planted, x: np.ndarray, made: Arrays) -> None:
        """That Keras, or ONNX Runtime, makes of a fault what the port makes of it."""
        try:
            there = self._exact(planted.network, x)
        except ImportError:
            return
        if relative(there[planted.node], made[planted.node]) > DISAGREES:
            raise AssertionError(f"{subject.file}, {planted.family} in {planted.node}: not the fault that the port has")

    def _lacking(self, subject: Subject, made: Arrays) -> tuple[Arrays, list[str]]:
        """The recording without a few layers: sums and activations, or any."""
        names = [n for n in made if subject.steps[n].kind in PLAIN] if self.rng.random() < 0.6 else list(made)[:-1]
        count = int(self.rng.integers(1, 4))
        picked = [str(n) for n in self.rng.choice(names, min(count, len(names)), replace=False)] if names else []
        return {name: array for name, array in made.items() if name not in picked}, picked

    def _laid_out(self, made: Arrays) -> tuple[Arrays, list[str]]:
        """One time in seven as torch has it, channels before time."""
        if self.rng.random() > 1 / 7:
            return made, []
        turned = {n: np.ascontiguousarray(a.swapaxes(1, 2)) if a.ndim == 3 else a for n, a in made.items()}
        return turned, ["channels before time"]

    def _keep(
        self,
        what: tuple[str, str, Subject],
        x: np.ndarray,
        recorded: tuple[Arrays, list[str]],
        faulty: tuple[list[str], list[str], list[str], list[list[str]]],
        moved: float | None,
        same: bool = False,
    ) -> None:
        kind, runner, subject = what
        name, file = self.corpus.name(kind)
        case = Case(
            *(
                name,
                kind,
                subject.network,
                subject.weights,
                subject.file,
                file,
                _called(runner),
                str(x.dtype),
                len(x),
                *faulty,
            ),
            same_node=same,
            relative=moved if moved is None or np.isfinite(moved) else None,
            tiny=moved is not None and moved < TINY,
            notes=recorded[1],
        )
        self.corpus.keep(case, subject.input, x, recorded[0])

    def _moved(self, subject: Subject, planted: Planted, x: np.ndarray, made: Arrays) -> float:
        """How much the faulty node's output is another: in float64, where there is a port."""
        right = self._right(subject, x)
        try:
            wrong = self._exact(planted.network, x)
        except ImportError:
            wrong = made
        return relative(right[planted.node], wrong[planted.node]) if planted.node in wrong else float("inf")

    def _right(self, subject: Subject, x: np.ndarray) -> Arrays:
        """By the port, in float64, where there is torch; else by Keras."""
        try:
            return self._exact(subject.steps, x)
        except ImportError:
            return keras_runs.run(subject.model, x)

    def _exact(self, network: Network, x: np.ndarray) -> Arrays:
        import port
        import torch

        return port.run(network, x, torch.float64)

    def _run(self, runner: str, subject: Subject, network: Network, x: np.ndarray) -> Arrays | None:
        """Every output, or None where a network cannot be computed so."""
        if runner == "port":
            import port

            return port.run(network, x)
        if runner == "onnx":
            return self._in_onnx(network, x)
        if network is subject.steps:
            return keras_runs.run(subject.model, x)
        try:
            return keras_runs.run(keras_runs.clone(subject.model, network), x)
        except (ValueError, KeyError, TypeError):  # options and shapes that Keras refuses
            return None

    def _in_onnx(self, network: Network, x: np.ndarray) -> Arrays | None:
        import onnx_runs

        try:
            return onnx_runs.run(network, x)
        except (KeyError, ValueError):  # what is not translated, and shapes that do not fit
            return None

    def _half(self, runner: str, subject: Subject, x: np.ndarray) -> Arrays:
        if runner == "port":
            import port
            import torch

            return port.run(subject.steps, x.astype(np.float16), torch.float16)
        return keras_runs.in_float16(subject.network, subject.steps, x)

    def _spread(self, families: tuple[Family, ...]) -> Iterator[tuple[Subject, Planted]]:
        """Every fault at every place, the families in turn, each in a random order."""
        groups: dict[str, list[tuple[Subject, Planted]]] = defaultdict(list)
        for subject in self.faulted:
            for name in subject.steps:
                for planted in faults(subject.steps, name, subject.other, families):
                    groups[planted.family].append((subject, planted))
        for group in groups.values():
            self.rng.shuffle(group)  # type: ignore[arg-type]
        while groups:
            for family in list(groups):
                yield groups[family].pop()
                if not groups[family]:
                    del groups[family]

    def _of_a_family(self, found: list[Planted]) -> Planted | None:
        """One of them, every family alike."""
        if not found:
            return None
        groups: dict[str, list[Planted]] = defaultdict(list)
        for planted in found:
            groups[planted.family].append(planted)
        return self._one(groups[self._one(list(groups))])

    def _one(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]


def _above(network: Network, name: str) -> set[str]:
    """All that a layer's output comes from: first in whatever order a network is computed."""
    given = network[name].inputs
    return {*given, *(above for each in given for above in _above(network, each))}


def _called(runner: str) -> str:
    """A runner with its version."""
    if runner == "keras":
        return keras_runs.RUNNER
    if runner == "onnx":
        import onnx_runs

        return onnx_runs.RUNNER
    import port

    return port.RUNNER
