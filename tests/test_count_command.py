"""``numjaz count``: what it prints is what the library counts."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import numjaz
from numjaz import Node
from numjaz.architectures.initial import initial_parameters
from numjaz.audit import DEFINITIONS, FORMS
from numjaz.audit.memory import ORDERED
from numjaz.cli import main
from numjaz.cli.options import parsed_architecture
from numjaz.layers import Add, Conv1D, Dense, Input
from numjaz.nodes import parameter_table

Capture = pytest.CaptureFixture[str]
NETWORK = "jazbat:features=1,classes=6,reduction=6"


def printed(capsys: Capture, *command: str, code: int = 0) -> str:
    assert main(["count", *command]) == code
    return capsys.readouterr().out


def test_the_table_of_nodes(capsys: Capture) -> None:
    lines = printed(capsys, NETWORK).splitlines()
    assert lines[2].split() == [
        "bigru",
        "Bidirectional(GRU,",
        "GRU)",
        *["256", "x", "64", "6,720", "1,622,016", "23.3", "%"],
    ]
    assert "6,955,044 multiply-accumulates" in lines[-2]
    assert lines[-1] == "28,360 parameters, 28,232 of them trainable"
    assert max(map(len, lines)) <= 100


def test_formulas(capsys: Capture) -> None:
    lines = printed(capsys, NETWORK, "--symbolic").splitlines()
    assert lines[1].split("  ")[0] == "bigru"
    assert [part.strip() for part in lines[1].split("  ") if part][1:4] == [
        "6·T·h·(F + h)",
        "6·h·(F + h + 2)",
        "F=1 h=32",
    ]
    here = [[int(n.replace(",", "")) for n in line.split()[-2:]] for line in lines[1:-2]]
    assert [sum(column) for column in zip(*here, strict=True)] == [6_955_044, 28_360]
    assert " ".join(lines[-2:]).endswith("no parameter has a T: the weights do not grow with the window")


def test_operations(capsys: Capture) -> None:
    rows = dict(line.rsplit(None, 1) for line in printed(capsys, NETWORK, "--operations").splitlines()[1:-1])
    assert rows["evaluations of sigmoid"] == f"{2 * 2 * 256 * 32:,}"
    assert rows["biases"] == f"{98_304 + 130_560 + 6:,}"  # the GRU's two a gate, the convolutions', the last layer's


def test_memory(capsys: Capture) -> None:
    lines = printed(capsys, NETWORK, "--memory").splitlines()
    rows = {tuple(line.split()[:2]): line.split()[2] for line in lines[1:-1]}
    assert rows["all", "given"] == "220,434"
    assert rows["liveness", "given"] == "49,152"
    assert rows["in_place", "best"] == "35,328"
    readme = Path(__file__).parent.parent / "README.md"
    assert "\n".join(lines) in readme.read_text(encoding="utf-8")
    assert max(map(len, lines)) <= 100


def test_conventions_side_by_side(capsys: Capture) -> None:
    lines = printed(capsys, NETWORK, "--convention", "all").splitlines()
    assert lines[1].split()[-2] == "6,955,044"
    assert lines[2].split()[-2:] == ["7,184,042", "mult-adds"]
    readme = Path(__file__).parent.parent / "README.md"
    assert "\n".join(lines[: lines.index("")]) in readme.read_text(encoding="utf-8")
    assert "fvcore        GRU, LSTM and RNN; convolutions with padding='same' (fvcore #98)" in lines
    reasons = lines[lines.index("") + 1 : lines.index("", lines.index("") + 1)]
    more = [int(line.split()[1].replace(",", "")) for line in reasons if line.startswith("thop")]
    assert sum(more) == 7_235_114 - 6_955_044
    held = json.loads(printed(capsys, NETWORK, "--convention", "all", "--json"))["conventions"]
    assert (held["matmul"], held["thop"], held["flopcounter"]) == (6_955_044, 7_235_114, 13_910_088)
    assert "7,235,114 by thop" in printed(capsys, NETWORK, "--convention", "thop")


def test_another_form(capsys: Capture) -> None:
    """A ReLU that is a module and a mean that is none, as most write them: tools print other numbers."""
    form, model = "ReLU modules, mean", numjaz.jazbat(features=1, classes=6, reduction=6)
    number = numjaz.count(model, "ptflops", form=form).macs
    assert number != numjaz.count(model, "ptflops").macs
    last = printed(capsys, NETWORK, "--convention", "ptflops", "--form", form).splitlines()[-2]
    assert last.startswith(f"{number:,} by ptflops (ReLU modules, mean) in 1 window")
    held = json.loads(printed(capsys, NETWORK, "--convention", "all", "--form", form, "--json"))
    assert (held["form"], held["conventions"]["ptflops"], held["macs"]) == (form, number, 6_955_044)
    lines = printed(capsys, NETWORK, "--convention", "all", "--form", form).splitlines()
    reasons = lines[lines.index("") + 1 : lines.index("", lines.index("") + 1)]
    more = [line.split() for line in reasons if line.startswith("ptflops ")]
    assert sum(int(line[1].replace(",", "")) for line in more) == number - 6_955_044
    assert reasons[-1].startswith("of a torch twin with ReLU modules, mean; for another")
    longest = printed(capsys, NETWORK, "--convention", "all", "--form", max(FORMS, key=len))
    assert max(map(len, [*lines, *longest.splitlines()])) <= 100
    assert json.loads(printed(capsys, NETWORK, "--json"))["form"] == "twin"
    for command, said in (
        (["--form", form], "--form goes with --convention NAME or all"),
        (["--form", form, "--memory"], "--form goes with --convention NAME or all"),
        (["--form", "", "--convention", "all"], "form ''"),
        (["--form", "ReLU", "--convention", "thop"], "form 'ReLU'"),
    ):
        assert main(["count", NETWORK, *command]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert said in error


def test_what_no_tool_speaks_of_is_named(capsys: Capture) -> None:
    assert main(["count", "jazbat:reset_after=false", "--convention", "all", "--json"]) == 0
    out, error = capsys.readouterr()
    assert json.loads(out)["conventions"]["thop"] is None
    assert "note: thop: node 'bigru': GRU" in error
    assert main(["count", "jazbat:reset_after=false", "--convention", "thop"]) == 2
    assert "torch has no module for it" in capsys.readouterr().err


def test_sizes(tmp_path: Path, capsys: Capture) -> None:
    """The paper's 110 KB are KiB: 28,360 numbers of 4 bytes."""
    lines = printed(capsys, NETWORK, "--sizes").splitlines()
    assert lines[2].split() == ["weights", "in", "float32", "113,440", "113.4", "110.8", "all"]
    model = numjaz.jazbat(features=1, classes=6, reduction=6)
    model.save(tmp_path / "m.npz")
    (npz,) = (line for line in lines if line.startswith("file: npz"))
    assert npz.split()[2] == f"{(tmp_path / 'm.npz').stat().st_size:,}"


def test_json(capsys: Capture) -> None:
    held = json.loads(printed(capsys, NETWORK, "--json", "--window", "64", "--batch", "2"))
    model = numjaz.jazbat(features=1, classes=6, reduction=6)
    counted = numjaz.count(model, window=64, batch=2)
    assert {key: held[key] for key in ("macs", "parameters", "trainable")} == {
        "macs": counted.macs,
        "parameters": 28_360,
        "trainable": 28_232,
    }
    assert [row["macs"] for row in held["rows"]] == [row.macs for row in counted.rows]
    assert sum(row["output_bytes"] for row in held["rows"]) + 4 * 2 * 6 == held["memory"]["all"]
    assert held["formulas"]["classes"] == "C·n"


def test_each_view_is_in_the_json(capsys: Capture) -> None:
    """What costs nothing is in every object; files are written and orders searched where that is asked for."""
    plain = json.loads(printed(capsys, NETWORK, "--json"))
    assert not {"sizes", "memory_best", "conventions"} & set(plain)
    for view in ("--operations", "--symbolic"):
        assert json.loads(printed(capsys, NETWORK, view, "--json")) == plain
    assert plain["operations"]["elementary"]["biases"] == 98_304 + 130_560 + 6
    assert plain["operations"]["activations"]["sigmoid"] == 2 * 2 * 256 * 32
    assert sum(plain["operations"]["macs_by_matrix"].values()) == plain["macs"]
    assert plain["symbols"]["bigru"] == {"T": 256, "F": 1, "h": 32}
    assert plain["liveness_peak"] == {
        "node": "module1_shortcut",
        "bytes": 4 * 49_152,
        "tensors": ["norm", "module1_merge", "module1_shortcut"],
    }
    held = json.loads(printed(capsys, NETWORK, "--memory", "--json"))
    assert held.pop("memory_best") == {
        "liveness": {"bytes": 4 * 49_152, "proved": True},
        "in_place": {"bytes": 4 * 35_328, "proved": True},
        "arena": {"bytes": 4 * 49_152, "proved": True},
    }
    for more in ("timeline", "arena_offsets", "scratch"):
        assert held.pop(more)
    assert held == plain
    held = json.loads(printed(capsys, NETWORK, "--sizes", "--json"))
    sizes = held.pop("sizes")
    assert held == plain
    lines = [line.split("  ") for line in printed(capsys, NETWORK, "--sizes").splitlines()[1:]]
    cells = [[cell.strip() for cell in line if cell] for line in lines]
    assert [[each["what"], f"{each['bytes']:,}", each["which"]] for each in sizes] == [
        [what, size, which] for what, size, _, _, which in cells
    ]
    assert {"what": "weights in float32", "bytes": 113_440, "which": "all"} in sizes


def test_a_terminal_shows_what_is_waited_for(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large networks take their time; one line that is wiped, and none where nobody sits before it."""
    assert main(["count", "jazbat:units=4,reset_after=false", "--memory"]) == 0
    assert capsys.readouterr().err.startswith("note: torchinfo: node 'bigru'")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["count", "jazbat:units=4,reset_after=false", "--memory"]) == 0
    first, *lines = capsys.readouterr().err.split("\r\033[K")
    assert [line.rpartition("\r")[2] for line in (first, *lines)] == [
        *(f"memory: {definition} …" for definition in DEFINITIONS),
        *(f"memory: {definition}, best order …" for definition in ORDERED),
        "",
    ]
    assert lines[list(DEFINITIONS).index("torchinfo")].startswith("note: torchinfo: node 'bigru'")  # on a wiped line


VIEWS = ([], ["--symbolic"], ["--convention", "all"], ["--operations"], ["--memory"], ["--sizes"])


@pytest.mark.parametrize("view", VIEWS, ids=" ".join)
def test_each_view_is_100_columns_wide(view: list[str], tmp_path: Path, capsys: Capture) -> None:
    """Also where nodes have long names; what is cut keeps its end, where names differ."""
    model = numjaz.jazbat(features=1, classes=6, reduction=6)
    new = {node.name: f"network/of/somebody/who/likes/long/names/{node.name}" for node in model.nodes}
    nodes = [Node(new[node.name], node.layer, tuple((new[name], k) for name, k in node.inputs)) for node in model.nodes]
    path = str(tmp_path / "long.npz")
    numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0)).save(path, "numjaz")
    for network in (NETWORK, "cnn_bigru:units=32", path):
        text = printed(capsys, network, *view)
        assert max(map(len, text.splitlines())) <= 100
        if network == path and view == ["--symbolic"]:
            assert "…odule1_shortcut" in text
        if network == path and view == []:
            assert "network/of/somebody/who/…module1_shortcut" not in text  # the tail is 15 characters
            assert "network/of/somebody/who/…odule1_shortcut" in text


def test_why_a_tool_counts_otherwise_is_wrapped_not_cut(capsys: Capture) -> None:
    text = printed(capsys, NETWORK, "--convention", "all")
    words = "biases, and each gate's addition and product, counted as multiply-accumulates"
    lines = text.splitlines()
    (k,) = (k for k, line in enumerate(lines) if line.startswith("thop") and " gru " in line)
    assert lines[k].partition("(1)")[2].split() + lines[k + 1].split() == words.split()


def test_many_tensors_at_the_peak_are_numbered(tmp_path: Path, capsys: Capture) -> None:
    names = ["input", *(f"conv{k}" for k in range(30))]
    convs = [Node(name, Conv1D(3, 1), ((before, 0),)) for before, name in pairwise(names)]
    nodes = [Node("input", Input(3)), *convs, Node("sum", Add(), tuple((name, 0) for name in names))]
    numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0)).save(tmp_path / "m.npz")
    lines = printed(capsys, str(tmp_path / "m.npz"), "--memory").splitlines()
    assert lines[-2].startswith("float32; the liveness peak is at sum: input, conv0, conv1")
    assert lines[-1].endswith("conv10, and 20 more")
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "view", [[], ["--json"], ["--symbolic"], ["--convention", "all"], ["--operations"], ["--memory"]]
)
def test_the_longest_windows(view: list[str], capsys: Capture) -> None:
    most = str(10**18)
    counted = numjaz.count(numjaz.jazbat(), window=10**18, batch=10**18).macs
    windows = ["--batch", most] if view != ["--symbolic"] else []
    text = printed(capsys, "jazbat", "--window", most, *windows, *view)
    if view != ["--memory"] and view != ["--symbolic"] and view != ["--operations"]:
        assert (str(counted) if view == ["--json"] else f"{counted:,}") in text


def test_where_memory_goes_and_when(capsys: Capture) -> None:
    held = json.loads(printed(capsys, NETWORK, "--memory", "--json"))
    assert held["scratch"]["bigru"] == {"projections": 4 * 256 * 6 * 32}
    assert held["scratch"]["module1_branch5"] == {"im2col": 4 * 256 * 5 * 10}
    steps = held["timeline"]
    assert [step["node"] for step in steps] == [row["node"] for row in held["rows"]]
    assert max(step["bytes"] for step in steps) == held["memory"]["liveness"]
    sizes = {row["node"]: row["output_bytes"] for row in held["rows"]}
    ends = {name: at + sizes[name] for name, at in held["arena_offsets"].items()}
    assert max(ends.values()) == held["memory"]["arena"]
    for step in steps:  # what is alive together lies apart
        placed = sorted((held["arena_offsets"][name], ends[name]) for name in step["tensors"])
        assert all(end <= start for (_, end), (start, _) in pairwise(placed))


def test_formulas_are_of_one_window(capsys: Capture) -> None:
    assert main(["count", "jazbat", "--symbolic", "--batch", "8"]) == 2
    assert "--symbolic: formulas are of one window" in capsys.readouterr().err


def test_twice_a_multiply_accumulate_is_a_reason(capsys: Capture) -> None:
    lines = printed(capsys, NETWORK, "--convention", "all").splitlines()
    assert any(line.split()[:3] == ["flopcounter", "+6,955,044", "all"] for line in lines)


def test_a_file_and_its_own_window(tmp_path: Path, capsys: Capture) -> None:
    contract = numjaz.Contract(features=("magnitude",), rate_hz=20.0, magnitude="minus_g", window=64, hop=32)
    numjaz.jazbat(units=4, contract=contract).save(tmp_path / "m.h5")
    assert "in 1 window of 64 samples" in printed(capsys, str(tmp_path / "m.h5"))
    np.savez(tmp_path / "w.npz", a=np.zeros(3))
    assert main(["count", str(tmp_path / "w.npz")]) == 2
    assert "holds weights and no architecture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["jazbat", "--window", "0"], "--window and --batch must be 1 or more"),
        (["jazbat:bogus=3"], "architecture jazbat: jazbat() got an unexpected keyword argument 'bogus'"),
        (["nothere"], "No such file"),
        (["jazbat", "--memory", "--symbolic"], "not allowed with"),
        (["jazbat:features=1,features=2"], "jazbat: 'features=1,features=2': features stands there twice"),
        (["jazbat:features"], "jazbat: 'features': write OPTION=VALUE,OPTION=VALUE"),
        (["jazbat:=3"], "jazbat: '=3': write OPTION=VALUE,OPTION=VALUE"),
        (["jazbat:features="], "jazbat: 'features=': write OPTION=VALUE,OPTION=VALUE"),
        (["jazbat:features=3,"], "jazbat: 'features=3,': write OPTION=VALUE,OPTION=VALUE"),
        (["jazbat:"], "jazbat: '': write OPTION=VALUE,OPTION=VALUE"),
        (["jazbat:features=-1"], "features must be a whole number, 1 or more, not -1"),
        (["jazbat:epsilon=-1e-3"], "epsilon must be a number from 0 to 1, not -0.001"),
        (["jazbat:epsilon=nan"], "epsilon must be a number from 0 to 1, not 'nan'"),
        (["jazbat:features=" + "9" * 5000], "features: a number of 5,000 digits is not read"),
        (["jazbat:contract=3"], "jazbat: contract is not stated on the command line"),
        (["jazbat", "--key", "model"], "--key goes with a file, and jazbat is a builder"),
        (["jazbat:features=3", "--names", "a=b"], "--names goes with a file, and jazbat is a builder"),
        (["jazbat", "--architecture", "jazbat"], "--architecture goes with a file, and jazbat is a builder"),
        ([""], "the model's name is empty"),
        (["jazbat", "--window", str(10**18 + 1)], "--window and --batch: at most 1,000,000,000,000,000,000"),
        (["jazbat", "--batch", "9" * 400, "--memory"], "--window and --batch: at most 1,000,000,000,000,000,000"),
        (["jazbat:units=100000"], "parameters; at most 50,000,000 are drawn"),
        (["jazbat:features=1000000000"], "parameters; at most 50,000,000 are drawn"),
    ],
)
def test_what_cannot_be_is_one_line(command: list[str], said: str, capsys: Capture) -> None:
    assert main(["count", *command]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize("text", ["1e-5", "0.00001", "1E-05", ".1e-4", "+1e-5", " 1e-5"])
def test_numbers_of_a_builders_options(text: str) -> None:
    assert parsed_architecture(f"jazbat:epsilon={text}, features=3,reset_after=False") == (
        "jazbat",
        {"epsilon": 1e-5, "features": 3, "reset_after": False},
    )


def test_a_builder_where_a_file_is_wanted(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["convert", "jazbat", "out.npz", "--key", "a"], ["info", "jazbat:features=3"], ["check", "jazbat"]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "a builder, and a file is wanted; --architecture, --names and --key go with a file" in error
    assert main(["info", ""]) == 2
    assert "the model's name is empty" in capsys.readouterr().err
    numjaz.jazbat(units=4).save("jazbat", "npz")
    assert main(["info", "jazbat", "--architecture", "jazbat:units=4"]) == 0


def test_a_network_of_one_length(tmp_path: Path, capsys: Capture) -> None:
    nodes = [Node("input", Input(3, (100,))), Node("conv", Conv1D(4, 3), (("input", 0),))]
    numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0)).save(tmp_path / "m.npz")
    assert "in 1 window of 100 samples" in printed(capsys, str(tmp_path / "m.npz"))
    assert main(["count", str(tmp_path / "m.npz"), "--window", "300"]) == 2
    assert "--window 300: the network's own length is fixed, 100 samples" in capsys.readouterr().err


def test_a_network_of_vectors_has_no_length_to_keep(tmp_path: Path, capsys: Capture) -> None:
    nodes = [Node("x", Input(3, ())), Node("y", Dense(2), (("x", 0),))]
    numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0)).save(tmp_path / "vectors.npz")
    counted = []
    for window in ([], ["--window", "100"]):
        assert main(["count", str(tmp_path / "vectors.npz"), "--json", *window]) == 0
        counted.append(json.loads(capsys.readouterr().out)["macs"])
    assert counted == [6, 6]
