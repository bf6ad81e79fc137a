"""Archives whose entries unpack to something else than they declare, or to far more than they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from attack_table import Attacks, entering
from tensor_builders import archive, entry, npy, zipped

import numjaz

ATTACKS: Attacks = {}
attack = entering(ATTACKS)

WORST = "classes/bias.npy"


@attack("would unpack to", ".npz")
def deflated_1000_to_1(path: Path) -> None:
    zipped(path, entry("bomb.npy", b"\0" * (64 << 20), deflated=True))


@attack("would unpack to", ".npz")
def many_small_bombs(path: Path) -> None:
    bomb = entry("0.npy", b"\0" * (15 << 20), deflated=True)
    names = [f"{k}.npy".encode() for k in range(100)]
    zipped(path, *({**bomb, **{part: bomb[part] | {"name": name} for part in ("local", "central")}} for name in names))


@attack("would unpack to", ".npz")
def a_bomb_in_a_bomb(path: Path) -> None:
    inner = archive([entry("inner.npy", b"\0" * (1 << 26), deflated=True)])
    zipped(path, *(entry(f"{k}.npy", inner * 60, deflated=True) for k in range(16)))


def jazbat(path: Path, worst: Callable[[bytes], dict[str, Any]]) -> None:
    """The arrays of a network, so that they are asked for; one of them is made by ``worst`` of its bytes."""
    arrays = {f"{name}.npy": npy(array) for name, array in numjaz.jazbat().parameters.items()}
    entries = [worst(data) if name == WORST else entry(name, data) for name, data in arrays.items()]
    path.write_bytes(archive(entries))


@attack("does not unpack to", ".npz")
def unpacks_to_more_than_it_declares(path: Path) -> None:
    def worst(data: bytes) -> dict[str, Any]:
        lie = {"size": len(data)}
        return entry(WORST, data + b"\0" * (64 << 20), deflated=True, **lie, local=lie)

    jazbat(path, worst)


@attack("does not unpack to", ".npz")
def unpacks_to_less_than_it_declares(path: Path) -> None:
    def worst(data: bytes) -> dict[str, Any]:
        lie = {"size": len(data)}
        return entry(WORST, data[:-1], deflated=True, **lie, local=lie)

    jazbat(path, worst)


@attack("does not unpack to", ".npz")
def something_behind_the_packed_data(path: Path) -> None:
    def worst(data: bytes) -> dict[str, Any]:
        made = entry(WORST, data, deflated=True)
        made["data"] += b"hidden"
        for part in ("local", "central"):
            made[part]["packed"] += len(b"hidden")
        return made

    jazbat(path, worst)


@attack("checksum is wrong", ".npz")
def wrong_checksum(path: Path) -> None:
    jazbat(path, lambda data: entry(WORST, data, crc=1, local={"crc": 1}))


@attack("is damaged", ".npz")
def not_deflate_at_all(path: Path) -> None:
    zipped(path, entry("w2.npy", b"\xff" * 200, method=8, local={"method": 8}))


@attack("would unpack to", ".npz")
def a_bomb_beside_what_is_large(path: Path) -> None:
    large = entry("large.npy", bytes(npy(np.zeros(1 << 18))))
    zipped(path, large, entry("bomb.npy", b"\0" * (17 << 20), deflated=True))
