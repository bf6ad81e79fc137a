"""How a hostile file of tensors is entered into the table of its module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Attack = Callable[[Path], None]
Attacks = dict[str, tuple[Attack, str, str]]  # name -> what makes it, what the message must say, its suffix


def entering(table: Attacks) -> Callable[[str, str], Callable[[Attack], Attack]]:
    def attack(said: str, suffix: str) -> Callable[[Attack], Attack]:
        def register(make: Attack) -> Attack:
            assert make.__name__ not in table
            table[make.__name__] = (make, said, suffix)
            return make

        return register

    return attack
