"""Records behave as dataclasses do; what the standard library's do with the same fields is asked beside each."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from numjaz.layers import LSTM, Add, Conv1D, Layer
from numjaz.layers.base import frozen
from numjaz.records import Frozen, Record, record


@frozen
class Ours(Frozen):
    a: int
    b: str = "x"
    c: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Theirs:
    a: int
    b: str = "x"
    c: dict[str, int] = field(default_factory=dict)


@record
class Point(Record):
    x: int
    y: int = 0


@pytest.mark.parametrize("kind", [Ours, Theirs])
@pytest.mark.parametrize("wrong", [{}, {"b": "y"}, {"a": 1, "d": 2}])
def test_wrong_options_are_type_errors(kind: Callable[..., Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=rf"(argument|arguments?:) '{next(iter({'d'} & set(wrong)), 'a')}'"):
        kind(**wrong)


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_too_many_and_twice(kind: Callable[..., Any]) -> None:
    with pytest.raises(
        TypeError, match=r"takes (3 arguments, not 4|from 2 to 4 positional arguments but 5 were given)"
    ):
        kind(1, "b", {}, 4)
    with pytest.raises(TypeError, match="multiple values for argument 'a'"):
        kind(1, a=2)


def test_what_the_standard_library_gives() -> None:
    for values in ((1,), (1, "y"), (1, "y", {"k": 2})):
        ours, theirs = Ours(*values), Theirs(*values)  # type: ignore[arg-type]
        assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
        assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]
        assert ours == Ours(*values)  # type: ignore[arg-type]
        assert replace(ours, a=5) == Ours(5, *values[1:])  # type: ignore[arg-type]
        assert ours != theirs
    assert Ours(1).c is not Ours(1).c
    assert str(inspect.signature(Ours)) == "(a: 'int', b: 'str' = 'x', c: 'dict[str, int]' = Ellipsis)"
    assert list(inspect.signature(LSTM).parameters)[:3] == ["units", "activation", "recurrent_activation"]
    assert inspect.signature(Conv1D).parameters["padding"].default == "same"


def test_frozen_stays() -> None:
    layer = Conv1D(4, 3)
    with pytest.raises(AttributeError, match="Conv1D stays as it is"):
        layer.filters = 5
    with pytest.raises(AttributeError, match="Conv1D stays as it is"):
        del layer.filters
    assert issubclass(FrozenInstanceError, AttributeError)  # what is caught of dataclasses is caught of these
    assert {layer: 1}[Conv1D(4, 3)] == 1
    assert Add() == Add()
    assert fields(Add()) == ()


@pytest.mark.parametrize("made", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
def test_copies_are_equal(made: Callable[[Layer], Layer]) -> None:
    assert made(LSTM(3, return_state=True)) == LSTM(3, return_state=True)


def test_patterns_match_by_position() -> None:
    match Conv1D(4, 3):
        case Conv1D(filters, size):
            assert (filters, size) == (4, 3)


def test_records_are_themselves() -> None:
    point = Point(1)
    point.y = 4
    assert repr(point) == "Point(x=1, y=4)"
    assert point != Point(1, 4)
    assert len({point, Point(1, 4)}) == 2
