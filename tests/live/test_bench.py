"""`numjaz bench --against`: real engines, each in its own process, asked in turns."""

from __future__ import annotations

import json

import pytest

from numjaz.cli import main

Capture = pytest.CaptureFixture[str]


def test_engines_beside_one_another(capsys: Capture) -> None:
    for name in ("onnxruntime", "torch"):
        pytest.importorskip(name)
    code = main(["bench", "jazbat:units=8,modules=1", "--against", "onnxruntime,torch", "--rounds", "1", "--batches", "16", "--json"])  # fmt: skip
    assert code == 0
    engines = {each["name"]: each for each in json.loads(capsys.readouterr().out)["engines"]}
    assert list(engines) == ["numjaz", "onnxruntime", "torch"]
    for each in engines.values():
        assert each["differs"] < 1e-5
        assert each["start_ratio"][0] > 1
        for key in ("latency_ms", "windows_per_s", "cold_start_s", "peak_rss_mb", "installed_mb"):
            assert each[key] > 0, key
    assert engines["numjaz"]["installed_mb"] < engines["onnxruntime"]["installed_mb"] < engines["torch"]["installed_mb"]
