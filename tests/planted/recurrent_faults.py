"""Faults of recurrent layers, and of their two directions. Imports nothing of numjaz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

import numpy as np
from place import Family, Place, Planted, leaves
from steps import Step

Arrays = dict[str, np.ndarray]
LETTERS = {"GRU": "zrh", "LSTM": "ifco"}
ORDERS = {"GRU": ("rzh", "hrz", "zhr", "rhz", "hzr"), "LSTM": ("iofc", "fico", "icfo", "ofci", "fioc", "cifo")}
KERAS_2 = version("keras").startswith("2.")
GATES = {"sigmoid": ("hard_sigmoid", "hard_sigmoid_keras2"), "hard_sigmoid": ("hard_sigmoid_keras2", "sigmoid")}
if KERAS_2:
    GATES = {"sigmoid": ("hard_sigmoid", "hard_sigmoid_keras3"), "hard_sigmoid": ("hard_sigmoid_keras3", "sigmoid")}
MEANT = {"hard_sigmoid": "hard_sigmoid_keras2", "hard_sigmoid_keras3": "hard_sigmoid"} if KERAS_2 else {}
"""What numjaz calls what this Keras calls so."""
WITHIN = {"tanh": ("sigmoid", "relu", "softsign")}


def _cells(step: Step) -> list[tuple[str, ...]]:
    """Which cells a fault may be in: both directions alike, or one; each by what its arrays' names begin with."""
    if step.kind == "Bidirectional":
        return [("forward/", "backward/"), ("forward/",), ("backward/",)]
    return [("",)]


def _is_recurrent(step: Step) -> bool:
    return step.cell_kind in LETTERS


def _edited(step: Step, sides: tuple[str, ...], edit: Callable[[Arrays], Arrays]) -> Step:
    """Other arrays in these cells."""
    return step.holding({f"{s}{name}": a for s in sides for name, a in edit(leaves(step, s)).items()})


def _where(sides: tuple[str, ...]) -> str:
    return "" if len(sides) > 1 or sides == ("",) else sides[0].rstrip("/")


def _told(sides: tuple[str, ...], cause: str) -> str:
    """The cause, and its direction before or behind where it is in one only."""
    side = _where(sides)
    return rf"{side}.*(?:{cause})|(?:{cause}).*{side}" if side else cause


def _columns(array: np.ndarray, order: list[int]) -> np.ndarray:
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[k] for k in order], axis=-1)


def gate_order(place: Place) -> Iterator[Planted]:
    """Every array's gates in another order, or one array's."""
    kind = place.step.cell_kind
    if kind not in LETTERS:
        return
    letters = LETTERS[kind]
    for order in ORDERS[kind]:
        picked = [letters.index(letter) for letter in order]
        inverse = "".join(letters[k] for k in np.argsort(picked))
        for sides in _cells(place.step):
            names = leaves(place.step, sides[0])
            for only in (None, *names):
                if only and order != ORDERS[kind][0]:
                    continue

                def edit(arrays: Arrays, picked: list[int] = picked, only: str | None = only) -> Arrays:
                    return {n: _columns(a, picked) for n, a in arrays.items() if only in (None, n)}

                cause = rf"gate order (?:{order}|{inverse})"
                told = _told(sides, rf"{cause}.*\b{only}\b|\b{only}\b.*{cause}" if only else cause)
                family = "gate order of one array" if only else "gate order"
                variant = f"{order} {only or ''} {_where(sides)}".strip()
                yield place.fault(family, variant, told, "gates", _edited(place.step, sides, edit))


def reset(place: Place) -> Iterator[Planted]:
    """The state reset before its product, or after it."""
    step = place.step
    if step.cell_kind != "GRU":
        return
    sides = _cells(step)[0]
    if step.cell["reset_after"]:
        summed = _edited(step, sides, lambda a: {"bias": a["bias"].sum(0)})
        told = "reset before the product"
        yield place.fault("reset", told, told, "reset bias", summed.configured(reset_after=False))
    else:
        split = _edited(step, sides, lambda a: {"bias": np.stack([a["bias"], 0 * a["bias"]])})
        told = "reset after the product"
        yield place.fault("reset", told, told, "reset bias", split.configured(reset_after=True))


def biases(place: Place) -> Iterator[Planted]:
    """One bias where there are two, the other one, or none."""
    step = place.step
    if not _is_recurrent(step) or not any(name.endswith("bias") for name in step.weights):
        return
    two = step.cell_kind == "GRU" and step.cell["reset_after"]
    forms: dict[str, Callable[[np.ndarray], np.ndarray]] = {"bias forgotten": lambda b: 0 * b}
    if two:
        forms = {
            "recurrent bias forgotten": lambda b: np.stack([b[0], 0 * b[1]]),
            "input bias forgotten": lambda b: np.stack([0 * b[0], b[1]]),
            "biases summed": lambda b: np.stack([b[0] + b[1], 0 * b[0]]),
            "biases swapped": lambda b: b[::-1],
        }
    for cause, form in forms.items():
        for sides in _cells(step):

            def edit(arrays: Arrays, form: Callable[[np.ndarray], np.ndarray] = form) -> Arrays:
                return {"bias": form(arrays["bias"])}

            yield place.fault(
                cause, f"{cause} {_where(sides)}".strip(), _told(sides, cause), "bias", _edited(step, sides, edit)
            )


def recurrent_kernel(place: Place) -> Iterator[Planted]:
    """The recurrent kernel's blocks turned, or its memory read in another shape."""
    step = place.step
    if not _is_recurrent(step):
        return
    gates = len(LETTERS[step.cell_kind])

    def turned(a: np.ndarray) -> np.ndarray:
        return np.concatenate([block.T for block in np.split(a, gates, axis=1)], axis=1)

    forms: dict[tuple[str, str], Callable[[np.ndarray], np.ndarray]] = {
        ("transposed", "gate by gate"): turned,
        ("reshaped", "torch's order read as Keras's shape"): lambda a: a.T.ravel().reshape(a.shape),
        ("reshaped", "Keras's order read as torch's shape"): lambda a: a.ravel().reshape(a.shape[::-1]).T,
    }
    for (word, how), form in forms.items():
        for name in ("recurrent_kernel", "kernel"):
            for sides in _cells(step):
                if word == "transposed" and name == "kernel":
                    continue

                def edit(arrays: Arrays, name: str = name, form: Callable[[np.ndarray], np.ndarray] = form) -> Arrays:
                    return {name: form(arrays[name])}

                told = _told(sides, rf"(?<![a-z_]){name} {word}")
                variant = f"{name}: {how} {_where(sides)}".strip()
                yield place.fault(f"{name} {word}", variant, told, name, _edited(step, sides, edit))


def functions(place: Place) -> Iterator[Planted]:
    """Another function in the gates, or of the candidate."""
    step = place.step
    if not _is_recurrent(step):
        return
    for option, others in (("recurrent_activation", GATES), ("activation", WITHIN)):
        own = step.cell[option]
        for other in others.get(own, ()):
            told = rf"(?<![a-z_]){option} is {MEANT.get(other, other)}\b"
            yield place.fault(option, f"{other}, not {own}", told, option, step.configured(**{option: other}))


def directions(place: Place) -> Iterator[Planted]:
    """The two directions exchanged, or the second one's time."""
    step = place.step
    if step.kind != "Bidirectional":
        return
    swapped = {f"forward/{n}": a for n, a in leaves(step, "backward/").items()}
    swapped |= {f"backward/{n}": a for n, a in leaves(step, "forward/").items()}
    told = "directions swapped"
    yield place.fault(told, told, told, " ".join(step.weights), step.holding(swapped))
    if step.cell["return_sequences"]:
        told = "backward output not turned back"
        yield place.fault(told, told, told, "turn", step.ported(backward_left_turned=True))
    else:
        told = "last step, not last state"
        yield place.fault(told, told, told, "turn", step.ported(last_step=True))


def initial_state(place: Place) -> Iterator[Planted]:
    """States that begin elsewhere than at zero."""
    if _is_recurrent(place.step):
        for value in (1.0, 0.1):
            step = place.step.ported(initial=value)
            yield place.fault("initial state", f"{value:g}", "initial state", "initial", step)


FAMILIES: tuple[Family, ...] = (
    gate_order,
    reset,
    biases,
    recurrent_kernel,
    functions,
    directions,
    initial_state,
)
