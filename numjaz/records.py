"""Classes that are their fields.

What `dataclasses` would write and compile for each class stands here once: a start on a small device is short.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from inspect import Signature

Kind = TypeVar("Kind", bound=type[Any])


class _Signature:
    """What `inspect.signature` shows of a class: its fields, put together when somebody asks."""

    def __get__(self, instance: Any, owner: type[Any]) -> Signature:
        from inspect import Parameter, Signature

        def default(each: Field[Any]) -> Any:
            if each.default_factory is not MISSING:
                return ...
            return Parameter.empty if each.default is MISSING else each.default

        kind = Parameter.POSITIONAL_OR_KEYWORD
        given = [Parameter(each.name, kind, default=default(each), annotation=each.type) for each in fields(owner)]
        return Signature(given)


class Record:
    """Base of classes made by `record`: TypeError where a field is given twice, is not given, or does not exist."""

    FIELDS: ClassVar[tuple[Field[Any], ...]] = ()
    __signature__ = _Signature()

    def __init__(self, *values: Any, **named: Any) -> None:
        known, name = self.FIELDS, type(self).__name__
        if len(values) > len(known):
            raise TypeError(f"{name}() takes {len(known)} arguments, not {len(values)}")
        for each, value in zip(known, values, strict=False):
            if each.name in named:
                raise TypeError(f"{name}() got multiple values for argument {each.name!r}")
            named[each.name] = value
        for each in known:
            if each.name in named:
                value = named.pop(each.name)
            elif each.default_factory is not MISSING:
                value = each.default_factory()
            elif each.default is not MISSING:
                value = each.default
            else:
                raise TypeError(f"{name}() missing a required argument: {each.name!r}")
            object.__setattr__(self, each.name, value)
        if named:
            raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(named))!r}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Look at the fields."""

    def __repr__(self) -> str:
        given = (f"{each.name}={getattr(self, each.name)!r}" for each in self.FIELDS)
        return f"{type(self).__qualname__}({', '.join(given)})"


class Frozen(Record):
    """Base of classes made by `frozen`: the fields stay as they were given, and what has the same ones is equal."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__} stays as it is; dataclasses.replace makes another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {type(self).__name__} stays as it is; dataclasses.replace makes another")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and type(self) is type(other) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self), *_values(self)))


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def record(kind: Kind) -> Kind:
    """Make a subclass of `Record` a dataclass; two are equal where they are one.

    Examples
    --------
    >>> @record
    ... class Point(Record):
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0)
    Point(x=1.0, y=0.0)
    """
    return _made(kind)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: Kind) -> Kind:
    """Make a subclass of `Frozen` a dataclass; two are equal where their fields are."""
    return _made(kind)


def _made(kind: Kind) -> Kind:
    dataclass(init=False, repr=False, eq=False)(kind)
    kind.FIELDS = fields(kind)
    return kind


def _values(record: Frozen) -> tuple[Any, ...]:
    return tuple(getattr(record, each.name) for each in record.FIELDS)
