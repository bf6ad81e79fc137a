"""Whether an edit explains what was recorded: quickly, roughly and on little first."""

from __future__ import annotations

import numpy as np

from numjaz.compare.differences import EMPTY
from numjaz.compare.faults.edit import Edit, Site, unedited
from numjaz.errors import NumjazError
from numjaz.layers import Array, LayerNormalization, Recurrent
from numjaz.layers.base import Arrays

FEW = 2  # windows on which all edits are tried first
STEPS = 4  # of a recurrent layer, before that
NEAR, NEARER = 1e-2, 1e-4  # of the largest number: how near they must come there, with arrays known roughly or exactly
ROOM = 8.0  # times the largest bound, which is near as well
TELLING = 12  # numbers that rounding does not explain, before two faults at once are made of them


class Judge:
    """Of the edits of one node.

    Attributes
    ----------
    site, few : Site
        The node on all windows, and on the few that are tried first.
    bound : float
        What rounding alone may do at most, without any edit.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        count = len(site.recorded[0])
        few = sorted({count // 2, count - 1})[-FEW:]
        self.few = site  # what follows a node that nobody recorded reads all windows
        if site.then is None:
            inputs, recorded, raw = (tuple(x[few] for x in arrays) for arrays in (site.inputs, site.recorded, site.raw))
            self.few = site._replace(inputs=inputs, recorded=recorded, raw=raw)
        layer = site.layer
        self.stepwise = (
            isinstance(layer, Recurrent)
            and layer.return_sequences
            and not (layer.go_backwards or layer.return_state or site.then)
        )
        made = made_by(unedited(site), site)
        self.bound = max((float(y.imag.max(initial=0)) for y in made), default=0.0) if made else 0.0
        fits = made is not None and len(made) == 1 and made[0].shape == site.recorded[0].shape
        self.unlike = np.abs(site.recorded[0] - made[0].real) if fits and made else None
        self.wrong = int((self.unlike > made[0].imag).sum()) if made and self.unlike is not None else TELLING

    def promises(self, edit: Edit) -> bool:
        """Whether the edit comes near the recording at all."""
        if self.stepwise and isinstance(edit.layer, Recurrent) and not self._near(edit, STEPS):
            return False
        return self._near(edit)

    def _near(self, edit: Edit, steps: int | None = None) -> bool:
        site = self.site if edit.whole else self.few
        try:
            with np.errstate(all="ignore"):
                made = edit.plain(edit.inputs(site), steps)
                made = site.then(made, True) if site.then else made
                recorded = edit.recorded(site)
        except (NumjazError, ValueError, IndexError):  # of other shapes
            return False
        rough = any(a.dtype.kind == "c" for a in edit.params.values()) or isinstance(edit.before, LayerNormalization)
        near = NEAR if rough else NEARER
        return all(
            y.shape == _begun(there, steps).shape
            and bool(np.abs(y.real - _begun(there, steps)).max(initial=0) <= self._limit(near, there))
            for y, there in zip(made, recorded, strict=True)
        )

    def _limit(self, near: float, there: Array) -> float:
        largest = float(np.abs(there).max(initial=0))
        return max(near * largest, min(ROOM * self.bound, NEAR * largest))

    def left(self, edit: Edit) -> float:
        """The largest share of what rounding allows that is left; infinite where it says nothing.

        Bounds as wide as the numbers themselves, or as the difference that is to be explained, say nothing.
        """
        made, recorded = made_by(edit, self.site), edit.recorded(self.site)
        if made is None or any(y.shape != there.shape for y, there in zip(made, recorded, strict=True)):
            return np.inf
        worst = 0.0
        for y, there in zip(made, recorded, strict=True):
            off = np.abs(there.astype(np.float64) - y.real)
            if not y.size or not (off <= y.imag).all():
                return np.inf
            if float(np.median(y.imag)) > EMPTY * float(np.abs(there).max()):
                return np.inf
            with np.errstate(all="ignore"):
                worst = max(worst, float(np.nan_to_num(off / y.imag).max()))
        if edit.faults > 1 and self.wrong < TELLING:
            return np.inf
        if edit.cause and edit.undo is None and self.unlike is not None and len(made) == 1:
            (y,), unlike = made, self.unlike
            if y.shape == unlike.shape and not (2 * y.imag < unlike).any():
                return np.inf
        return worst


def made_by(edit: Edit, site: Site) -> Arrays | None:
    """What the other side makes with an edit, and bounds of rounding; None where the shapes do not fit."""
    try:
        made = edit.made(site)
        return site.then(made, False) if site.then else made
    except (NumjazError, ValueError, IndexError):  # of other shapes
        return None


def _begun(array: Array, steps: int | None) -> Array:
    return array if steps is None else array[:, :steps]
