"""Forms that go through time together, stretch by stretch, so that what they work on stays in a core's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from numjaz.engine.runtime.forms import Form, Value
from numjaz.engine.runtime.layout import Single
from numjaz.records import Frozen, frozen

STRETCH = 172_032  # bytes of the widest tensor of a stretch


@frozen
class Section(Frozen):
    """Forms that take ``count`` stretches of ``length`` moments together.

    ``delays`` tells how many moments a value lags behind the section's inputs: a convolution that looks
    ahead cannot yet say what the last moments are.
    """

    forms: tuple[Form, ...]
    length: int
    count: int
    delays: dict[str, int]

    def done(self, value: Value, stretch: int) -> int:
        """How many moments of a value are there behind a stretch."""
        if stretch < 0:
            return 0
        if stretch == self.count - 1:
            return value.time
        return min(value.time, max(0, self.length * (stretch + 1) - self.delays.get(value.name, 0)))

    def kept(self, value: Value) -> int:
        """How many moments before a stretch its forms still look at."""
        return max((at + form.sees()[0] for form, at in self._readers(value)), default=0)

    def _readers(self, value: Value) -> Iterator[tuple[Form, int]]:
        """Who reads it, and how far behind it."""
        for form in self.forms:
            if value in form.reads:
                late = _lag(form, self.delays)
                yield form, late - self.delays.get(value.name, 0)


def _lag(form: Form, delays: dict[str, int]) -> int:
    before, span, _ = form.sees()
    return max(delays.get(value.name, 0) for value in form.reads) + span - 1 - before


def sections(forms: Sequence[Form], layout: Single) -> Iterator[Section]:
    """Each form alone where windows come one by one; otherwise as many together as go step by step."""
    held: list[Form] = []
    for form in forms:
        if held and not _goes_with(form, held, layout):
            yield _section(held, layout)
            held = []
        held.append(form)
    if held:
        yield _section(held, layout)


def _goes_with(form: Form, held: Sequence[Form], layout: Single) -> bool:
    made = {value.name for other in held for value in other.makes}
    reduced = {value.name for other in held if other.REDUCES for value in other.makes}
    time = held[0].reads[0].time
    if layout.width == 1 or not all(_by_steps(each) for each in (form, held[0])):
        return False
    return all(v.name not in reduced and (v.name in made or v.time == time) for v in form.reads)


def _by_steps(form: Form) -> bool:
    return form.LOCAL and form.steady and form.sees()[2] == 1 and all(value.time > 1 for value in form.reads)


def _section(forms: Sequence[Form], layout: Single) -> Section:
    delays: dict[str, int] = {}
    for form in forms:
        late = _lag(form, delays) if _by_steps(form) else 0
        delays.update({value.name: late for value in form.makes if not form.REDUCES})
    whole = Section(tuple(forms), 0, 1, {})
    if layout.width == 1 or not _by_steps(forms[0]):
        return whole
    time = forms[0].reads[0].time
    widest = max(sum(value.channels for value in form.makes) for form in forms)
    length = max(1, STRETCH // (widest * layout.width * layout.dtype.itemsize))
    trial = Section(tuple(forms), length, 2, delays)
    length = max(length, *(trial.kept(value) for form in forms for value in form.makes))
    return Section(tuple(forms), length, -(-time // length), delays) if length < time else whole
