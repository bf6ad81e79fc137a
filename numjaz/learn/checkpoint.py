"""Checkpoints: all that a training needs to go on to the bit, in one file that appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from numjaz.doors.text import parse_json
from numjaz.errors import NumjazError
from numjaz.formats.npz_file import NpzFile, write_npz
from numjaz.layers import Array

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "numjaz checkpoint 1"


class Checkpoint(NamedTuple):
    """Arrays by name; where the training stands; what it is a training of."""

    arrays: Mapping[str, Array]
    place: Mapping[str, Any]
    about: Mapping[str, Any]


def write(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint: a full disk leaves the one before."""
    note = {"format": FORMAT, "place": checkpoint.place, "about": checkpoint.about}
    write_npz(path, checkpoint.arrays, json.dumps(note))


def read(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    NumjazError
        For a file that is none.
    """
    with NpzFile(str(path)) as file:
        note = parse_json(file.note.encode(), f"{path}: note") if file.note else {}
        if not isinstance(note, dict) or note.get("format") != FORMAT or not {"place", "about"} <= set(note):
            raise NumjazError(f"{path}: not a checkpoint of this numjaz")
        return Checkpoint({name: file.array(name) for name in file.shapes}, note["place"], note["about"])


def check_same(path: str | Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise where a checkpoint is of another training: `NumjazError` names the first thing that differs."""
    for key in {**wanted, **found}:
        value, other = wanted.get(key), found.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            check_same(path, other, value)
        elif other != value:
            raise NumjazError(
                f"{path}: a checkpoint of another training: {key} was {json.dumps(other)[:80]}, "
                f"now it is {json.dumps(value)[:80]}; begin anew, or with what it was"
            )
