"""The opcodes of a pickle, followed without building anything but plain values.

Only those that `torch.save` writes for dicts of tensors are known. A name stays a name, a call is handed
to whoever knows what it stands for, and every opcode beyond that ends the reading where it stands.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MAX_OPCODES = 500_000
MAX_MARKS = 64  # open at once; torch opens five
PROTOCOLS = range(2, 6)


class PickleError(Exception):
    """What is wrong with a pickle, still without the file's name."""


class Global(NamedTuple):
    """A name that the pickle looks up; it stays a name."""

    name: str


class Machine:
    """Follows the opcodes of a pickle; what they build is plain values and symbols.

    Parameters
    ----------
    data : bytes
        The pickle.
    check : callable
        Called with each name that the pickle looks up, before anything else is done; it raises where
        the name is not wanted.
    calls : mapping
        What stands for a call of a name, given the tuple of arguments.
    refer : callable
        What stands for a reference to something outside the pickle.
    """

    def __init__(
        self,
        data: bytes,
        check: Callable[[str], None],
        calls: Mapping[str, Callable[[tuple[Any, ...]], Any]],
        refer: Callable[[Any], Any],
    ) -> None:
        self._data, self._at = data, 0
        self._check, self._calls, self._refer = check, calls, refer
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []  # the stacks below the open marks
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle spells."""
        data = self._data
        if data[:1] != b"\x80" or len(data) < 2 or data[1] not in PROTOCOLS:
            raise PickleError(f"not a pickle of protocol 2 to 5 (it begins with {data[:8]!r})")
        self._at = 2
        for _ in range(MAX_OPCODES):
            if self._at == len(data):
                raise PickleError("cut short: the pickle does not end")
            opcode = data[self._at]
            self._at += 1
            if opcode == STOP:
                break
            follow = OPCODES.get(opcode)
            if follow is None:
                raise PickleError(f"opcode {_opcode(opcode)} at {self._at - 1:,} is none that a table of tensors needs")
            follow(self)
        else:
            raise PickleError(f"more than {MAX_OPCODES:,} opcodes")
        if self._at != len(data):
            raise PickleError(f"{len(data) - self._at:,} bytes stand behind the pickle's end")
        if self._outer or len(self._stack) != 1:
            raise PickleError("the pickle ends with more or less than one value")
        return self._stack[0]

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise PickleError(f"cut short: {count:,} bytes were to follow at {self._at:,}, {len(taken):,} do")
        self._at += count
        return taken

    def _number(self, count: int, signed: bool = False) -> int:
        return int.from_bytes(self._take(count), "little", signed=signed)

    def _text(self, count: int) -> str:
        return _decoded(self._take(count))

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + 256)
        if end < 0:
            raise PickleError(f"a name at {self._at:,} that does not end")
        line = self._take(end - self._at)
        self._at += 1
        return _decoded(line)

    def _pop(self) -> Any:
        if not self._stack:
            raise PickleError(f"a value is missing at {self._at:,}")
        return self._stack.pop()

    def _top(self, kind: type) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            raise PickleError(f"no {kind.__name__} stands where one is filled at {self._at:,}")
        return self._stack[-1]

    def _to_mark(self) -> list[Any]:
        if not self._outer:
            raise PickleError(f"a mark is missing at {self._at:,}")
        inner, self._stack = self._stack, self._outer.pop()
        return inner

    def _mark(self) -> None:
        if len(self._outer) == MAX_MARKS:
            raise PickleError(f"more than {MAX_MARKS} marks are open at {self._at:,}")
        self._outer.append(self._stack)
        self._stack = []

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _put(self, place: int) -> None:
        if not self._stack:
            raise PickleError(f"a value is missing at {self._at:,}")
        self._memo[place] = self._stack[-1]

    def _get(self, place: int) -> None:
        if place not in self._memo:
            raise PickleError(f"nothing was kept under number {place:,} that is asked for at {self._at:,}")
        self._push(self._memo[place])

    def _tuple(self, count: int) -> None:
        self._push(tuple(reversed([self._pop() for _ in range(count)])))

    def _append(self, values: list[Any]) -> None:
        self._top(list).extend(values)

    def _set(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise PickleError(f"a key without a value at {self._at:,}")
        target = self._top(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) not in (str, int, float, bool, type(None)):
                raise PickleError(f"a {type(key).__name__} is a key at {self._at:,}; keys of text and numbers are read")
            if key in target:
                raise PickleError(f"key {key!r:.60} stands twice")
            target[key] = value

    def _set_one(self) -> None:
        value, key = self._pop(), self._pop()
        self._set([key, value])

    def _global(self, module: Any, name: Any) -> None:
        """A name; one that is not known to be harmless ends the reading."""
        if type(module) is not str or type(name) is not str:
            raise PickleError(f"a name that is no text at {self._at:,}")
        full = f"{module}.{name}"
        self._check(full)
        self._push(Global(full))

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._global(module, name)

    def _reduce(self) -> None:
        """A call: only those that rebuild tensors and plain values, which are understood, not made."""
        arguments, called = self._pop(), self._pop()
        if type(called) is not Global or type(arguments) is not tuple:
            raise PickleError(f"calls what is no function at {self._at:,}")
        if called.name not in self._calls:
            raise PickleError(f"calls {called.name} at {self._at:,}, which is no function here")
        self._push(self._calls[called.name](arguments))

    def _build(self) -> None:
        """A state for the last value; an OrderedDict's holds the layers' version numbers, nothing else has one."""
        if type(self._pop()) is not dict:
            raise PickleError(f"a state that is no dict at {self._at:,}")
        self._top(dict)

    def _persistent(self) -> None:
        self._push(self._refer(self._pop()))

    def _frame(self) -> None:
        """A frame only says how many bytes to read ahead."""
        if self._number(8) > len(self._data) - self._at:
            raise PickleError(f"a frame at {self._at:,} that reaches beyond the end")


STOP = ord(".")
OPCODES: dict[int, Callable[[Machine], None]] = {
    ord("("): Machine._mark,
    ord(")"): lambda m: m._push(()),
    ord("]"): lambda m: m._push([]),
    ord("}"): lambda m: m._push({}),
    ord("N"): lambda m: m._push(None),
    0x88: lambda m: m._push(True),
    0x89: lambda m: m._push(False),
    ord("K"): lambda m: m._push(m._number(1)),
    ord("M"): lambda m: m._push(m._number(2)),
    ord("J"): lambda m: m._push(m._number(4, signed=True)),
    0x8A: lambda m: m._push(m._number(m._number(1), signed=True)),
    ord("G"): lambda m: m._push(struct.unpack(">d", m._take(8))[0]),
    ord("X"): lambda m: m._push(m._text(m._number(4))),
    0x8C: lambda m: m._push(m._text(m._number(1))),
    ord("t"): lambda m: m._push(tuple(m._to_mark())),
    0x85: lambda m: m._tuple(1),
    0x86: lambda m: m._tuple(2),
    0x87: lambda m: m._tuple(3),
    ord("a"): lambda m: m._append([m._pop()]),
    ord("e"): lambda m: m._append(m._to_mark()),
    ord("s"): Machine._set_one,
    ord("u"): lambda m: m._set(m._to_mark()),
    ord("q"): lambda m: m._put(m._number(1)),
    ord("r"): lambda m: m._put(m._number(4)),
    0x94: lambda m: m._put(len(m._memo)),
    ord("h"): lambda m: m._get(m._number(1)),
    ord("j"): lambda m: m._get(m._number(4)),
    ord("c"): lambda m: m._global(m._line(), m._line()),
    0x93: Machine._stack_global,
    ord("R"): Machine._reduce,
    ord("b"): Machine._build,
    ord("Q"): Machine._persistent,
    0x95: Machine._frame,
}


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PickleError(f"text that is none ({raw[:20]!r})") from None


def _opcode(code: int) -> str:
    import pickletools

    names = {known.code: known.name for known in pickletools.opcodes}
    return f"{names[chr(code)]} ({code:#04x})" if chr(code) in names else f"{code:#04x}"
