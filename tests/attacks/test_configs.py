"""Every hostile configuration ends in one line, at once, in little memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from child import refused, run
from config_attacks import CONFIG_ATTACKS

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="measuring a child's memory needs wait4")


@pytest.mark.parametrize("name", CONFIG_ATTACKS)
def test_hostile_configurations(tmp_path: Path, name: str) -> None:
    make, said = CONFIG_ATTACKS[name]
    path = tmp_path / "m.keras"
    make(path)
    refused(run("info", str(path)), said)
    assert [left.name for left in tmp_path.iterdir()] == ["m.keras"]
