"""Exported files: NumPy alone, the plan's bits, the stream's verdicts, one line for what is wrong."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz.architectures.initial import initial_parameters
from numjaz.cli import main
from numjaz.engine.exporting import export
from numjaz.layers import GRU, LSTM, Bidirectional, Conv1D, Dense, Flatten, GlobalMaxPooling1D, Input, MaxPooling1D
from numjaz.nodes import Node, parameter_table

Capture = pytest.CaptureFixture[str]


def chain(entry: Input, **layers: object) -> numjaz.Model:
    """Layers one behind the other."""
    nodes = [Node("x", entry)]
    for name, layer in layers.items():
        nodes.append(Node(name, layer, ((nodes[-1].name, 0),)))  # type: ignore[arg-type]
    return numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))


NETWORKS = {
    "watch-1d": numjaz.load("jazbat-watch-1d-activity"),
    "watch-3d": numjaz.load("jazbat-watch-3d-activity"),
    "phone-1d": numjaz.load("jazbat-phone-1d-activity"),
    "lstm": chain(
        Input(3), first=LSTM(6), last=LSTM(5, return_sequences=False, go_backwards=True), classes=Dense(4, "softmax")
    ),
    "grus": chain(
        Input(20), both=Bidirectional(GRU(40, reset_after=False), GRU(40, reset_after=False)), pool=GlobalMaxPooling1D()
    ),
    "convolutions": chain(
        Input(2, (64,)),
        a=Conv1D(4, 3, strides=2, activation="tanh"),
        b=MaxPooling1D(3, 2, "same"),
        c=Flatten(),
        d=Dense(3),
    ),
}
ALONE = """
import json, sys
import numpy as np
sys.path.insert(0, FOLDER)
import network
y = network.predict(np.load(FOLDER + "/x.npy"))
np.save(FOLDER + "/y.npy", y)
print(json.dumps(sorted({m.split(".")[0] for m in sys.modules})))
"""


def ran(folder: Path, code: str) -> str:
    """Python with nothing of this project, from another folder."""
    head = f"FOLDER = {str(folder)!r}\n"
    ended = subprocess.run(
        [sys.executable, "-c", head + code],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "", "HOME": "/nowhere"},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_gives_the_bits_of_the_plan_with_numpy_alone(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]
    window = model.contract.window if model.contract else 64
    assert main(["export", *written(model, tmp_path), "--window", str(window)]) == 0
    features = model.nodes[0].layer.features  # type: ignore[attr-defined]
    x = np.random.default_rng(1).normal(size=(5, window, features)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    loaded = set(json.loads(ran(tmp_path, ALONE)))
    assert not loaded & {"numjaz", "scipy", "h5py"}
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), numjaz.compile(model, 1).predict(x))


def written(model: numjaz.Model, folder: Path) -> list[str]:
    model.save(folder / "model.h5")
    return [str(folder / "model.h5"), str(folder / "network.py")]


def test_a_stream_in_the_file_is_the_stream(tmp_path: Path) -> None:
    model = NETWORKS["watch-1d"]
    main(["export", *written(model, tmp_path)])
    values = np.random.default_rng(0).normal(size=(1200, 3)) + [0, 0, 9.81]
    values[::3, 0] = np.round(values[::3, 0], 3)
    np.save(tmp_path / "x.npy", values)
    code = """
import json, sys
import numpy as np
sys.path.insert(0, FOLDER)
import network
values = np.load(FOLDER + "/x.npy")
stream = network.stream(rate_hz=50.0)
found = [v for k in range(0, len(values), 7) for v in stream.push(values[k : k + 7])]
np.save(FOLDER + "/y.npy", np.stack([v.probabilities for v in found]))
print(json.dumps([[v.start_s, v.end_s, v.label, v.coverage] for v in found]))
"""
    said = json.loads(ran(tmp_path, code))
    expected = numjaz.Stream(model, 50.0).push(values)
    assert said == [[v.start_s, v.end_s, v.label, v.coverage] for v in expected]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.stack([v.probabilities for v in expected]))
    assert len(said) > 5


def program(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "network.py"), *arguments], input=given, capture_output=True, text=True
    )


def test_the_file_is_a_program(tmp_path: Path) -> None:
    main(["export", *written(NETWORKS["watch-1d"], tmp_path)])
    tested = program(tmp_path, "--self-test")
    assert tested.returncode == 0
    assert "ulp of the largest output" in tested.stdout
    lines = "".join("0,0,9.81\n" for _ in range(300))
    for given in ("ax,ay,az\n" + lines, lines.replace(",", "\t")):
        said = program(tmp_path, "-", given=given)
        assert [line.split()[:2] for line in said.stdout.splitlines()] == [["0.00", "12.75"], ["1.60", "14.35"]]
    (tmp_path / "r.csv").write_text("\ufeff" + lines[: 9 * 256], encoding="utf-8")
    assert len(program(tmp_path, str(tmp_path / "r.csv"), "--rate", "20").stdout.splitlines()) == 1
    faster = program(tmp_path, "-", "--rate", "40", given=lines * 2).stdout.splitlines()
    assert [line.split()[:2] for line in faster] == [["0.00", "12.75"], ["1.60", "14.35"]]
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe1,2,3\n")
    for arguments, given, wrong in (
        ([str(tmp_path / "binary.csv")], "", "binary.csv: not text"),
        (["-"], "0,0,9.8,walking\n" * 3, "no line of 3 is numbers alone; the last one is 0,0,9.8,walking"),
        (["-"], "0,0,1\n0,0,1,2\n", "line 2: samples have shape (1, 4)"),
        (["nothing.csv"], "", "No such file"),
        (["-"], "0,0\n", "3 numbers each"),
        (["-"], "0,0,1\nx,y,z\n", "line 2: x,y,z is not numbers"),
        (["-", "--units", "lb"], "0,0,1\n", "units 'lb'"),
        (["-", "--rate", "1"], "0,0,1\n", "less than half"),
    ):
        ended = program(tmp_path, *arguments, given=given)
        assert ended.returncode == 2
        (line,) = ended.stderr.splitlines()
        assert wrong in line


def test_the_program_says_where_no_window_was_whole(tmp_path: Path) -> None:
    main(["export", *written(NETWORKS["watch-1d"], tmp_path)])
    for given, number in (("", 0), ("0,0,9.81\n" * 20, 20)):
        ended = program(tmp_path, "-", given=given)
        assert (ended.returncode, ended.stdout) == (0, "")
        assert ended.stderr == f"-: {number} line(s), fewer samples than a window takes\n"


@contextlib.contextmanager
def listening(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An exported program that was given a first window and awaits more."""
    main(["export", *written(NETWORKS["watch-1d"], tmp_path)])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "network.py"), "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as live:  # fmt: skip
        live.stdin.write("0,0,9.81\n" * 260)
        live.stdin.flush()
        yield live


def test_the_program_tells_each_verdict_at_once_and_ends_with_its_reader(tmp_path: Path) -> None:
    with listening(tmp_path) as live:
        assert live.stdout.readline().split()[:2] == ["0.00", "12.75"]  # while more is awaited
        live.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            live.stdin.write("0,0,9.81\n" * 400)
            live.stdin.close()
        assert live.stderr.read() == ""
        assert live.wait(timeout=60) == 0


def test_an_interrupted_program_ends_without_a_word(tmp_path: Path) -> None:
    with listening(tmp_path) as live:
        live.stdout.readline()
        live.send_signal(signal.SIGINT)
        assert live.wait(timeout=60) == 130
        assert live.stderr.read() == ""


def test_other_windows_than_the_contracts(tmp_path: Path) -> None:
    main(["export", *written(NETWORKS["watch-1d"], tmp_path), "--window", "100"])
    assert program(tmp_path, "--self-test").returncode == 0
    said = program(tmp_path, "-", given="0,0,9.81\n" * 140).stdout.splitlines()
    assert [line.split()[:2] for line in said] == [["0.00", "4.95"], ["1.60", "6.55"]]


def test_a_fixed_length_is_the_window(tmp_path: Path) -> None:
    main(["export", *written(NETWORKS["convolutions"], tmp_path)])
    assert program(tmp_path, "--self-test").returncode == 0


def test_texts_that_are_no_python(tmp_path: Path) -> None:
    title = (
        'a "quote", \'\'\'three\'\'\', """three""", a back\\slash\\, {braces}, %(prog)s 50% x, \0, \ud800, \u202e, é'
    )
    model = chain(Input(2), a=Dense(2, "softmax")).derive(
        classes=['"', "\\'"], provenance={"title": title, "data": title}
    )
    export(model, tmp_path / "network.py", 8)
    assert program(tmp_path, "--self-test").returncode == 0
    shown = program(tmp_path, "--help")
    assert shown.returncode == 0
    assert "50% x" in shown.stdout


def test_an_input_alone(tmp_path: Path) -> None:
    nodes = [Node("x", Input(2))]
    export(numjaz.Model(nodes, {}), tmp_path / "network.py", 8)
    assert program(tmp_path, "--self-test").returncode == 0


@pytest.mark.parametrize(
    ("model", "window", "said"),
    [
        (NETWORKS["convolutions"], 100, "the network takes 64"),
        (NETWORKS["lstm"], -3, "a window cannot be -3 samples"),
        (NETWORKS["lstm"], 0, "a window cannot be 0 samples"),
        (chain(Input(2, ()), a=Dense(2)), None, r"windows \(N, T, F\)"),
        (chain(Input(2, (3, 4)), a=Dense(2)), None, r"windows \(N, T, F\)"),
    ],
)
def test_networks_and_windows_that_do_not_fit(
    model: numjaz.Model, window: int | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(numjaz.NumjazError, match=said):
        export(model, tmp_path / "network.py", window)


def test_a_self_test_fails_where_numbers_are_others(tmp_path: Path) -> None:
    main(["export", *written(NETWORKS["lstm"], tmp_path)])
    text = (tmp_path / "network.py").read_text()
    assert program(tmp_path, "--self-test").returncode == 0
    changed = text.replace(
        "return NUMBERS[at : at + int(np.prod(shape))]", "return 1.001 * NUMBERS[at : at + int(np.prod(shape))]"
    )
    assert changed != text
    (tmp_path / "network.py").write_text(changed)
    assert program(tmp_path, "--self-test").returncode == 1


def test_the_file_is_small_and_readable(tmp_path: Path, capsys: Capture) -> None:
    paths = [written(NETWORKS["watch-3d"], tmp_path)[0], str(tmp_path / "network.py")]
    assert main(["export", *paths, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] <= 250_000
    text = (tmp_path / "network.py").read_text()
    assert "def _gru(self)" in text
    assert not {"class BlockRecurrence", "class Windows", "def checked"} & set(re.findall(r"(?:class|def) \w+", text))
    assert "accuracy" in text.splitlines()[5:30].__str__()


@pytest.mark.parametrize(
    ("model", "output", "said"),
    [
        ("jazbat", "out.txt", "ends in .py"),
        ("jazbat:units=3,activation=gelu", "out.py", "runs as it is stated"),
        ("jazbat:activation=gelu", "out.py", "module1_branch5_reduce"),
    ],
)
def test_what_is_refused(model: str, output: str, said: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["export", model, str(tmp_path / output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())
