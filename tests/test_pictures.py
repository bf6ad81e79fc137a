"""Figures of a judgement and of a training: what is drawn is what was counted."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from numjaz import NumjazError
from numjaz.learn.history import Epoch, History
from numjaz.learn.judging import Judged, judgement
from numjaz.learn.pages import judged_page
from numjaz.learn.pictures import draw_history, draw_judged, history_figure, judged_figure


def said(classes: int, people: int, windows: int = 500) -> Judged:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, windows)
    score = rng.dirichlet(np.ones(classes), windows) + np.eye(classes)[truth] * 0.2
    names = [f"<class> & ${k}$" for k in range(classes)]
    return judgement(
        score / score.sum(axis=1, keepdims=True), truth, rng.integers(0, people, windows).astype(str), names
    )


def trained(epochs: int, kept: int, validation: bool) -> History:
    rng = np.random.default_rng(0)
    rows = [
        dict(zip(("loss", "accuracy", "validation_loss", "validation_accuracy"), rng.random(4), strict=True))
        for _ in range(epochs)
    ]
    measured = [row if validation else {key: row[key] for key in ("loss", "accuracy")} for row in rows]
    return History(tuple(Epoch(learning_rate=1e-3, **row) for row in measured), kept, 1.0)


def test_a_page_says_what_was_counted() -> None:
    judged = said(3, 4)
    text = judged_page("a & b", judged, ["a <note>"])
    assert "<title>a &amp; b</title>" in text
    assert "a &lt;note&gt;" in text
    for row in judged.confusion:
        for count in row:
            assert f"</span> {count}</td>" in text
    for who, each in judged.per_person.items():
        assert f'<th scope="row">{who}</th><td class="right">{each["windows"]}</td>' in text
    scores = judgement(judged.probabilities * 2, judged.truth, np.array(judged.people)[judged.person], judged.classes)
    assert "Calibration" in text
    assert "<h2>Calibration" not in judged_page("", scores)


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NumjazError, match="a figure needs matplotlib"):
        draw_judged(tmp_path / "a.svg", said(3, 4))
    assert not list(tmp_path.iterdir())


class TestDrawn:
    """With matplotlib, an extra."""

    @pytest.fixture(autouse=True)
    def matplotlib(self) -> None:
        pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, an extra")

    def test_counts_and_people(self, tmp_path: Path) -> None:
        judged = said(3, 4)
        for name in ("a.svg", "b.svg", "a.png", "a.pdf"):
            draw_judged(tmp_path / name, judged, "a & b")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
        tree = ElementTree.parse(tmp_path / "a.svg")
        texts = ["".join(t.itertext()).strip() for t in tree.iter("{http://www.w3.org/2000/svg}text")]
        assert {*map(str, judged.confusion.ravel()), *judged.classes, *judged.people, "a & b", "500 windows"} <= set(
            texts
        )
        assert f"accuracy {judged.figure('accuracy').value:.3f}" in texts

    def test_dots_are_people_and_cells_are_shares(self) -> None:
        judged = said(4, 7)
        left, right = judged_figure(judged).axes
        counts = judged.confusion
        np.testing.assert_allclose(left.images[0].get_array(), counts / counts.sum(axis=1, keepdims=True))
        line, dots = right.lines
        assert line.get_xdata()[0] == judged.figure("accuracy").value
        shown = dict(zip([t.get_text() for t in right.get_yticklabels()], dots.get_xdata(), strict=True))
        assert shown == {who: each["accuracy"] for who, each in judged.per_person.items()}
        assert sorted(shown.values()) == list(dots.get_xdata())
        (band,) = right.patches
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx(judged.figure("accuracy")[1:])

    def test_one_person_and_many(self) -> None:
        assert not judged_figure(said(2, 1)).axes[1].patches
        drawn = judged_figure(said(60, 100, 900))
        assert drawn.get_figheight() < 12
        assert not drawn.axes[0].texts
        assert len(drawn.axes[1].get_yticks()) == 0

    def test_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from matplotlib.figure import Figure

        def half(self: Figure, file: Path, **options: object) -> None:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Figure, "savefig", half)
        with pytest.raises(NumjazError, match="cannot be written"):
            draw_judged(tmp_path / "a.svg", said(2, 3))
        with pytest.raises(NumjazError, match="ends in one of"):
            draw_judged(tmp_path / "a.gif", said(2, 3))
        assert not list(tmp_path.iterdir())

    def test_curves_are_epochs(self, tmp_path: Path) -> None:
        history = trained(6, 4, validation=True)
        for axes, name in zip(history_figure(history).axes, ("loss", "accuracy"), strict=True):
            training, validation, kept = axes.lines
            assert list(training.get_xdata()) == list(validation.get_xdata()) == [1, 2, 3, 4, 5, 6]
            assert list(training.get_ydata()) == [getattr(epoch, name) for epoch in history.epochs]
            assert list(validation.get_ydata()) == [getattr(epoch, f"validation_{name}") for epoch in history.epochs]
            assert kept.get_xdata()[0] == 4
            assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation", "kept"]
            assert all(tick == round(tick) for tick in axes.get_xticks())
        for name in ("a.svg", "b.svg", "a.png"):
            draw_history(tmp_path / name, history, "a & b")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
        assert {"a & b", "loss", "accuracy", "epoch"} <= {
            "".join(t.itertext()).strip()
            for t in ElementTree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}text")
        }

    @pytest.mark.parametrize("epochs", [1, 200])
    def test_without_validation_one_curve(self, epochs: int) -> None:
        for axes in history_figure(trained(epochs, epochs, validation=False)).axes:
            (line,) = axes.lines
            assert len(line.get_xdata()) == epochs
            assert (line.get_marker() == "o") == (epochs == 1)  # of which there would be no line
