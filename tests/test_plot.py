"""Figures: what is drawn is what is counted, and a file is whole or not there."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import numjaz
from numjaz import Node
from numjaz.architectures.initial import initial_parameters
from numjaz.cli import main
from numjaz.formula import Formula
from numjaz.layers import Conv1D, Input
from numjaz.nodes import parameter_table
from numjaz.plot import draw, figure

Capture = pytest.CaptureFixture[str]


def test_without_matplotlib(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["count", "jazbat:units=4", "--plot", str(tmp_path / "a.png")]) == 2
    out, error = capsys.readouterr()
    assert (out, error) == ("", "numjaz: a figure needs matplotlib: pip install 'numjaz[plot]'\n")
    assert not list(tmp_path.iterdir())


class TestDrawn:
    """With matplotlib, an extra."""

    @pytest.fixture(autouse=True)
    def matplotlib(self) -> None:
        pytest.importorskip("matplotlib")

    def test_each_ending(self, tmp_path: Path, capsys: Capture) -> None:
        for name, start in (("a.png", b"\x89PNG\r\n"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF-")):
            path = tmp_path / name
            assert main(["count", "jazbat:units=4", "--plot", str(path)]) == 0
            assert path.read_bytes().startswith(start)
            out, error = capsys.readouterr()
            assert out.splitlines()[0].split()[0] == "node"
            assert error == ""
        assert main(["count", "jazbat:units=4", "--json", "--plot", str(tmp_path / "b.svg")]) == 0
        assert json.loads(capsys.readouterr().out)["macs"] > 0
        assert "matplotlib.pyplot" not in sys.modules

    def test_a_picture_is_of_text_and_the_same_each_time(self, tmp_path: Path) -> None:
        model = numjaz.jazbat(features=1, classes=6, reduction=6)
        for name in ("a.svg", "b.svg", "a.pdf", "b.pdf", "a.png", "b.png"):
            draw(tmp_path / name, numjaz.count(model), numjaz.memory(model), "<Jazbat> & $x$")
        for ending in ("svg", "pdf", "png"):
            assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
        texts = [
            "".join(each.itertext()).strip()
            for each in ElementTree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}text")
        ]
        assert {node.name for node in model.nodes} <= set(texts)
        assert {"<Jazbat> & $x$", "6,955,044 multiply-accumulates", "28,360 parameters", "1,622,016"} <= set(texts)
        assert "peak: 192.0 KiB, first at module1_shortcut" in texts

    def test_bars_are_the_rows(self) -> None:
        model = numjaz.jazbat(features=1, classes=6, reduction=6)
        counted, held = numjaz.count(model, "thop"), numjaz.memory(model)
        macs, parameters, timeline = figure(counted, held).axes
        assert [round(bar.get_width() * 1e6) for bar in macs.patches] == [row.macs for row in counted.rows]
        assert [round(bar.get_width() * 1e3) for bar in parameters.patches] == [row.parameters for row in counted.rows]
        assert (macs.get_xlabel(), parameters.get_xlabel()) == ("millions", "thousands")
        assert macs.get_title("left") == f"{counted.macs:,} by thop"
        every, peaks = (list(patch.get_data().values) for patch in timeline.patches)
        assert [round(size * 1024) for size in every] == [step.bytes for step in held.timeline]
        assert [round(size * 1024) for size in peaks] == [
            step.bytes if step.bytes == held.peak_bytes else 0 for step in held.timeline
        ]

    def test_any_size_can_be_read(self) -> None:
        """Names do not touch: each has 0.11 inches, and a figure's height ends somewhere."""
        for modules, highest in ((0, 6.0), (3, 9.0), (27, 40.0), (80, 64.0)):
            model = numjaz.jazbat(units=4, modules=modules)
            drawn = figure(numjaz.count(model), numjaz.memory(model))
            macs, _, timeline = drawn.axes
            drawn.draw_without_rendering()
            assert drawn.get_figheight() <= highest
            assert len(macs.patches) == len(model.nodes)
            room = macs.get_window_extent().height / drawn.dpi
            ticks = [tick for tick in macs.get_yticks() if 0 <= tick < len(model.nodes)]
            assert room / len(ticks) >= 0.11
            assert (timeline.get_xlabel() == "") == (len(model.nodes) <= 40)
            label = macs.get_yticklabels()[0].get_text()
            assert label == ("input" if len(model.nodes) <= 40 else "input  1")

    def test_strange_names_and_huge_numbers(self, tmp_path: Path) -> None:
        names = ["$\\frac$", "感情" * 30, "a" * 200]
        nodes = [Node("input", Input(3))]
        for name in names:
            nodes.append(Node(name, Conv1D(3, 1), ((nodes[-1].name, 0),)))
        model = numjaz.Model(nodes, initial_parameters(parameter_table(nodes), 0))
        most = 10**18
        counted, held = numjaz.count(model, window=most, batch=most), numjaz.memory(model, window=most, batch=most)
        draw(tmp_path / "a.svg", counted, held)
        text = (tmp_path / "a.svg").read_text(encoding="utf-8")
        assert "$\\frac$" in text
        assert f"{'a' * 19}…{'a' * 12}" in text
        assert "times 10^36" in text
        assert "a" * 33 not in text

    def test_nobodys_settings_are_changed(self, tmp_path: Path) -> None:
        import matplotlib

        model = numjaz.jazbat(units=4)
        draw(tmp_path / "a.svg", numjaz.count(model), numjaz.memory(model))
        with matplotlib.rc_context({"svg.fonttype": "path", "axes.facecolor": "red", "font.size": 30}):
            before = dict(matplotlib.rcParams)
            draw(tmp_path / "b.svg", numjaz.count(model), numjaz.memory(model))
            assert dict(matplotlib.rcParams) == before
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("a.bmp", "a.bmp: a figure's name ends in one of .png, .svg, .pdf"),
            ("a", "a: a figure's name ends in one of .png, .svg, .pdf"),
            ("", "a figure's name ends in one of .png, .svg, .pdf"),
            ("nowhere/a.png", "nowhere/a.png: cannot be written (No such file or directory)"),
        ],
    )
    def test_what_cannot_be_written_is_one_line(
        self, name: str, said: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["count", "jazbat:units=4", "--plot", name]) == 2
        out, error = capsys.readouterr()
        assert (out, error.count("\n")) == ("", 1)
        assert said in error
        assert not list(tmp_path.iterdir())

    def test_a_drawing_that_fails_leaves_what_was_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from matplotlib.figure import Figure

        def half(self: Figure, file: Path, **options: object) -> None:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Figure, "savefig", half)
        (tmp_path / "a.png").write_bytes(b"before")
        model = numjaz.jazbat(units=4)
        with pytest.raises(numjaz.NumjazError, match=re.escape("cannot be written (No space left on device)")):
            draw(tmp_path / "a.png", numjaz.count(model), numjaz.memory(model))
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
        assert (tmp_path / "a.png").read_bytes() == b"before"

    def test_what_has_no_timeline(self) -> None:
        model = numjaz.jazbat(units=4)
        for held in (
            numjaz.memory(model, "all"),
            numjaz.memory(model, order="best", definition="in_place"),
            numjaz.memory(numjaz.jazbat(modules=1)),
        ):
            with pytest.raises(numjaz.NumjazError, match="a step for each node in the given order"):
                figure(numjaz.count(model), held)
        formulas = numjaz.count(model, window=Formula.symbol("T"))
        with pytest.raises(numjaz.NumjazError, match="not of formulas"):
            figure(formulas, numjaz.memory(model))
