"""From forms to calls: where every number lies, and what is called in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from numjaz.engine.runtime.forms import Form, Value, unused
from numjaz.engine.runtime.layout import ALIGNMENT, Array, Call, Single, aligned
from numjaz.engine.runtime.sections import Section, sections
from numjaz.planning import Arena, Tensor, arena


class Place(NamedTuple):
    """Where a value lies: in which buffer, and at which of its rows moment 0 does.

    Where only the last moments are kept, moment 0 lies ``moves`` rows further back with each stretch.
    """

    buffer: str
    first: int = 0
    moves: int = 0
    channels: tuple[int, int] | None = None  # of a wider buffer


class Buffer(NamedTuple):
    """A tensor of the arena, and the sections from and to which it is needed."""

    shape: tuple[int, ...]
    first: int
    last: int


class Step(NamedTuple):
    """Which calls belong to a form; one that goes by stretches has several."""

    form: Form
    first: int
    end: int


def _bordered(size: int) -> int:
    """Bytes up to the next border, so that what lies behind begins on one."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class Program:
    """The calls that make a network's outputs from its inputs, on one block of memory.

    Attributes
    ----------
    calls : list of (function, arguments)
        In the order of execution.
    sections : list of Section
        Forms that go together.
    tensors : list of Tensor
        What lies in the arena, from which section to which.
    arena : Arena
        Where.
    steps : list of Step
        Whose calls they are.
    inputs, outputs : dict of str to array
        Where they are written and read, in the plan's layout.
    """

    def __init__(self, forms: Sequence[Form], inputs: Sequence[Value], outputs: Sequence[Value], layout: Single):
        self.layout = layout
        self.sections = list(sections(forms, layout))
        self._inputs, self._ends = inputs, {value.name for value in outputs}
        self._maker = {value.name: form for form in forms for value in form.makes}
        self._section = {id(form): n for n, section in enumerate(self.sections) for form in section.forms}
        self._readers: dict[str, list[Form]] = {}
        for form in forms:
            for value in form.reads:
                self._readers.setdefault(value.name, []).append(form)
        self._owned: dict[int, dict[str, str]] = {}
        self._taken = {value.name for value in (*inputs, *(value for form in forms for value in form.makes))}
        self._places: dict[str, Place] = {}
        self._buffers: dict[str, Buffer] = {}
        for value in inputs:
            self._settle(value)
        for form in reversed(forms):
            for value in form.makes:
                self._settle(value)
            self._share(form)
        for form in forms:
            self._lend(form)
        size = layout.dtype.itemsize
        self.tensors = [
            Tensor(name, _bordered(size * math.prod(b.shape)), b.first, b.last) for name, b in self._buffers.items()
        ]
        self.arena: Arena = arena(self.tensors)
        self._memory = self._allocated()
        self._views: dict[tuple[Place, int, int, bool], Array] = {}
        self.calls: list[Call] = []
        self.steps: list[Step] = []
        for value in inputs:
            self.calls += self._edges(value)
        for section in self.sections:
            self._emit(section)
        self.inputs = {value.name: self._view(value, 0, 0, value.time) for value in inputs}
        self.outputs = {value.name: self._view(value, 0, 0, value.time) for value in outputs}

    def _made_in(self, value: Value) -> int:
        maker = self._maker.get(value.name)
        return self._section[id(maker)] if maker else 0

    def _last(self, value: Value) -> int:
        """The last section that needs it."""
        if value.name in self._ends:
            return max(len(self.sections) - 1, 0)  # of a network that computes nothing too
        return max([self._made_in(value), *(self._section[id(form)] for form in self._readers.get(value.name, ()))])

    def _beyond(self, value: Value) -> tuple[int, int]:
        """How many moments before the first and behind the last its readers look at."""
        needs = [(f, f.needs(0, f.makes[0].time)) for f in self._readers.get(value.name, ()) if f.LOCAL]
        before = max((-a for f, (a, _) in needs if not f.REDUCES), default=0)
        behind = max((b - value.time for f, (_, b) in needs if not f.REDUCES), default=0)
        return max(before, 0), max(behind, 0)

    def _passes(self, value: Value) -> bool:
        """Whether only the section that makes it reads it, so that its last moments are enough."""
        here = self._made_in(value)
        if value.name not in self._maker or value.name in self._ends or self.sections[here].count == 1:
            return False
        return self._last(value) == here and not self._maker[value.name].REDUCES

    def _settle(self, value: Value) -> None:
        """A buffer of its own, unless the value stands in another's already."""
        if value.name in self._places:
            return
        maker, here = self._maker.get(value.name), self._made_in(value)
        if maker is not None and maker.viewed and value is maker.makes[0]:
            self._places[value.name] = Place(self._own(maker, "steps"))
            return
        before, behind = self._beyond(value)
        if self._passes(value):
            section = self.sections[here]
            first = section.kept(value) + section.delays[value.name]
            rows = max(section.done(value, j) + first - section.length * j for j in range(section.count)) + behind
            self._places[value.name] = Place(value.name, first, section.length)
            self._buffers[value.name] = Buffer(self.layout.shape(rows, value.rows), here, here)
            return
        shape = self.layout.shape(before + value.time + behind, value.rows)
        self._places[value.name] = Place(value.name, before)
        self._buffers[value.name] = Buffer(shape, here, self._last(value))

    def _share(self, form: Form) -> None:
        """Let an input that only this form reads be written where the output shall stand."""
        if not (form.OVERWRITES or form.JOINS):
            return
        (made,) = form.makes
        first, target = 0, self._places[made.name]
        for value in form.reads if form.JOINS else form.reads[:1]:
            end = first + value.channels
            if self._may_share(value, made, form):
                base = target.channels[0] if target.channels else 0
                inside = target.channels is not None or form.JOINS
                channels = (base + first, base + end) if inside else None
                self._places[value.name] = target._replace(channels=channels)
                buffer = self._buffers[target.buffer]
                self._buffers[target.buffer] = buffer._replace(first=min(buffer.first, self._made_in(value)))
            first = end

    def _may_share(self, value: Value, made: Value, form: Form) -> bool:
        maker = self._maker.get(value.name)
        if maker is None or value.ones or value.name in self._ends or value.name in self._places or not maker.LOCAL:
            return False
        if self._readers[value.name] != [form] or value.time != made.time or maker.REDUCES:
            return False
        here, there = self._made_in(value), self._made_in(made)
        section, target = self.sections[there], self._places[made.name]
        if here == there and section.count > 1:
            return section.kept(value) == 0 and section.delays[value.name] == section.delays[made.name]
        plain = self.layout.width > 1 or self._buffers[target.buffer].shape[self.layout.TIME] == made.time
        return plain and target.moves == 0

    def _lend(self, form: Form) -> None:
        """The form's own arrays."""
        number = self._section[id(form)]
        section = self.sections[number]
        what = form.reads[0] if form.REDUCES else form.makes[0]
        steps = max(section.done(what, j) - section.done(what, j - 1) for j in range(section.count))
        for name, shape in form.scratch(self.layout, steps, plain=self._plain(form.makes[0])).items():
            last = self._last(form.makes[0]) if form.viewed and name == "state" else number
            self._buffers[self._own(form, name)] = Buffer(shape, number, last)

    def _plain(self, value: Value) -> bool:
        """Whether a product can be written where the value stands: of one window, where it lies in one piece."""
        place = self._places[value.name]
        if self.layout.width > 1 or place.buffer not in self._buffers:
            return True
        return self._buffers[place.buffer].shape[self.layout.TIME] == value.time

    def _allocated(self) -> dict[str, Array]:
        block, memory = aligned((self.arena.size,), np.uint8), {}
        for tensor in self.tensors:
            at = self.arena.offsets[tensor.name]
            shape = self._buffers[tensor.name].shape
            size = math.prod(shape) * self.layout.dtype.itemsize
            memory[tensor.name] = block[at : at + size].view(self.layout.dtype).reshape(shape)
        for section in self.sections:
            for form in section.forms:
                if form.viewed:
                    memory[self._own(form, "steps")] = form.provided(self._lent(form, memory))
        return memory

    def _lent(self, form: Form, memory: Mapping[str, Array]) -> dict[str, Array]:
        own = self._owned.get(id(form), {})
        return {part: memory[name] for part, name in own.items() if name in memory}

    def _own(self, form: Form, part: str) -> str:
        """What a form's own array is called, which no value is."""
        own = self._owned.setdefault(id(form), {})
        if part not in own:
            own[part] = unused(f"{form.name}:{part}", self._taken)
            self._taken.add(own[part])
        return own[part]

    def _view(self, value: Value, stretch: int, a: int, b: int, *, whole: bool = False) -> Array:
        """A value from moment ``a`` to ``b`` while a stretch is computed; ``whole`` with what lies beside it."""
        place = self._places[value.name]
        at = place.first - place.moves * stretch
        key = place, a + at, b + at, whole
        if key not in self._views:
            array = self._memory[place.buffer]
            if not whole and value.lanes is None:
                array = self.layout.channels(array, *(place.channels or (0, value.channels)))
            self._views[key] = self.layout.steps(array, a + at, b + at)
        return self._views[key]

    def _edges(self, value: Value, *, before: bool = True, behind: bool = True, stretch: int = 0) -> Iterator[Call]:
        """What stands beyond the ends of a value, for those who look there."""
        place, ends = self._places[value.name], self._beyond(value)
        if value.ones and before and value.lanes is None:
            beside = self.layout.channels(self._memory[place.buffer], value.channels, value.rows)
            yield beside.fill, (1,)
        found = [form.around() for form in self._readers.get(value.name, ())]
        edge = next((number for number in found if number is not None), None)
        if edge is None:
            return
        first = place.first if place.moves else ends[0]
        for wanted, a, b in ((before, -first, 0), (behind, value.time, value.time + ends[1])):
            if wanted and b > a:
                yield self._view(value, stretch, a, b).fill, (edge,)

    def _emit(self, section: Section) -> None:
        made = [value for form in section.forms for value in form.makes]
        for value in made:
            moves = bool(self._places[value.name].moves)
            self.calls += self._edges(value, behind=not moves)
        for stretch in range(section.count):
            for form in section.forms:
                first = len(self.calls)
                self.calls += self._of(form, section, stretch)
                for value in form.makes:
                    if stretch == section.count - 1 and self._places[value.name].moves:
                        self.calls += self._edges(value, before=False, stretch=stretch)
                self.steps.append(Step(form, first, len(self.calls)))
            if stretch < section.count - 1:
                self.calls += self._carried(section, made)

    def _of(self, form: Form, section: Section, stretch: int) -> Iterator[Call]:
        """A form's calls for one stretch."""
        lent = self._lent(form, self._memory)
        if not form.LOCAL:
            xs = [self._view(value, 0, 0, value.time) for value in form.reads]
            yield from form.calls(self.layout, xs, [self._view(v, 0, 0, v.time) for v in form.makes], lent)
            return
        what = form.reads[0] if form.REDUCES else form.makes[0]
        first, end = section.done(what, stretch - 1), section.done(what, stretch)
        if end == first:
            return
        a, b = form.needs(first, end)
        xs = [self._view(value, stretch, a, b, whole=form.BESIDE) for value in form.reads]
        if form.REDUCES:
            (made,) = form.makes
            last = stretch == section.count - 1
            yield from form.calls(self.layout, xs, [self._view(made, 0, 0, 1)], lent, first=first == 0, last=last)  # type: ignore[call-arg]
            return
        yield from form.calls(self.layout, xs, [self._view(v, stretch, first, end) for v in form.makes], lent)

    def _carried(self, section: Section, made: Sequence[Value]) -> Iterator[Call]:
        """The last moments of a stretch, brought to where the next one looks for them."""
        done = set()
        for value in made:
            place, kept = self._places[value.name], section.kept(value)
            if place.moves and kept and place.buffer not in done:
                done.add(place.buffer)
                array = self._memory[place.buffer]
                yield (
                    np.copyto,
                    (
                        self.layout.steps(array, 0, kept),
                        self.layout.steps(array, section.length, section.length + kept),
                    ),
                )
