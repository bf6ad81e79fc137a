"""`numjaz bench` on this machine alone, and what it refuses; beside other engines in tests/live/test_bench.py."""

from __future__ import annotations

import json

import pytest

import numjaz
from numjaz.architectures.initial import initial_parameters
from numjaz.bench import Figure, benchmark, measure
from numjaz.cli import main
from numjaz.layers import Dense, Flatten, Input
from numjaz.nodes import Node, parameter_table

Capture = pytest.CaptureFixture[str]


def test_this_machine(capsys: Capture) -> None:
    assert main(["bench", "jazbat:units=4,modules=1", "--window", "16", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("latency_ms", "windows_per_s"):
        middle, least, most = found[name]
        assert 0 < least <= middle <= most
    assert found["cpu_share"] is None  # a builder states no hop
    assert found["arena_bytes"] == numjaz.compile(numjaz.jazbat(units=4, modules=1), 1).arena_bytes
    assert 10 < found["peak_rss_mb"] < 4000
    assert {"numjaz", "numpy", "blas", "cpu", "processors"} == set(found["machine"])


def test_a_network_with_a_hop_has_a_share_of_a_processor() -> None:
    model = numjaz.load("jazbat-watch-1d-activity")
    found = measure(model)
    assert model.contract is not None
    hop_ms = 1e3 * model.contract.hop / model.contract.rate_hz
    assert found.cpu_share == pytest.approx(found.latency_ms[0] / hop_ms)


def test_a_fixed_length_is_what_is_timed(capsys: Capture) -> None:
    nodes = [Node("x", Input(3, (24,))), Node("flat", Flatten(), (("x", 0),)), Node("y", Dense(2), (("flat", 0),))]
    model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
    assert measure(model).cpu_share is None
    (own,) = benchmark(model, [], rounds=1, batches=[16], cold=False)
    assert own.differs < 1e-6
    with pytest.raises(numjaz.NumjazError, match="24"):
        measure(model, window=25)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rounds", "0"], "--rounds must be 1 or more"),
        (["--window", "-3"], "--window must be 1 or more"),
        (["--against", "mxnet"], "no engine is named 'mxnet'"),
        (["--against", "torch", "--batches", "a,b"], "--batches 'a,b'"),
        (["--against", "torch", "--batches", "1,16"], "--batches: two windows or more"),
        (["--against", "torch", "--python", "torch"], "--python 'torch'"),
        (["--against", ","], "--against names no engine"),
        (["--python", "torch=/x"], "--python goes with --against"),
        (["--against", "numjaz-reference", "--python", "torch=/x"], "given for 'torch', which is not timed"),
        (["--against", "numjaz-reference", "--python", "numjaz-reference=/no/python"], "/no/python: cannot be run"),
    ],
)
def test_one_line_says_what_is_wrong(options: list[str], said: str, capsys: Capture) -> None:
    assert main(["bench", "jazbat:units=2,modules=0", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_the_reference_is_an_engine_too() -> None:
    model = numjaz.jazbat(units=4, modules=1)
    own, file, stated = benchmark(
        model, ["numjaz-file", "numjaz-reference"], rounds=2, batches=[16], window=32, cold=False
    )
    assert [own.name, file.name, stated.name] == ["numjaz", "numjaz-file", "numjaz-reference"]
    assert file.differs == pytest.approx(own.differs, abs=1e-6)
    assert own.latency_ratio == Figure(1, 1, 1)
    assert stated.differs < 1e-6
    assert stated.latency_ratio.median > 0
    assert stated.cold_start_s is None
    assert set(own.windows_per_s) == {1, 16}


def test_an_engine_that_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = numjaz.jazbat(units=4, modules=1)
    expected = model.reference
    monkeypatch.setattr(model, "reference", lambda x: {name: y + 1e-3 for name, y in expected(x).items()})
    with pytest.raises(numjaz.NumjazError, match="numjaz computes something else"):
        benchmark(model, [], rounds=1, batches=[16], window=32, cold=False)


def test_what_is_named_twice_is_timed_once() -> None:
    model = numjaz.jazbat(units=4, modules=1)
    found = benchmark(model, ["numjaz-h5", "numjaz-h5", "numjaz"], rounds=1, batches=[16, 16], window=32)
    assert [each.name for each in found] == ["numjaz", "numjaz-h5"]
    own, hdf5 = found
    assert own.installed_mb < hdf5.installed_mb  # by h5py, of which Debian keeps the libraries elsewhere
    for each in found:  # measured; which is the faster is for a quiet machine to say
        assert each.cold_start_s is not None
        assert each.start_ratio is not None
        assert 0 < each.cold_start_s.least <= each.cold_start_s.most
        assert each.start_ratio.median > 0
