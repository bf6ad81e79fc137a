"""The HTML report in headless Chromium: nothing fetched, no error, its tables, and what an accessibility checker says."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numjaz
from numjaz.cli import main
from numjaz.compare.divergence import excite
from numjaz.compare.runs import run_model, write_run

api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
LOOKS = [
    {"viewport": {"width": 1200, "height": 900}},
    {"viewport": {"width": 390, "height": 844}},
    {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    {"viewport": {"width": 800, "height": 1100}, "print": True},
]
COMMANDS = {"audit": ["audit", "jazbat-net"], "count": ["count", "jazbat:reduction=6"]}
CHECKS = {"check": "jazbat-watch-1d-activity", "part": "wrong.npz"}  # and the other side
PAGES = (*COMMANDS, *CHECKS)


def command(name: str, folder: Path) -> list[str]:
    """What makes a page; of one check the other side has a fault, and a number that is none behind it."""
    if name in COMMANDS:
        return COMMANDS[name]
    right = numjaz.load(CHECKS["check"])
    wrong = right.replace({"module1_merge/bias": right.parameters["module1_merge/bias"] + 0.1})
    run = run_model(wrong, excite(right))
    write_run(replace(run, outputs={**run.outputs, "classes": run.outputs["classes"] * np.nan}), folder / "wrong.npz")
    return ["check", CHECKS["check"], str(folder / "wrong.npz") if name == "part" else CHECKS[name]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=PAGES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert main([*command(request.param, folder), "--html", str(folder / "report.html")]) in (0, 1)
    (folder / "command.json").write_text(json.dumps(command(request.param, folder)))
    return folder / "report.html"


@pytest.fixture(params=LOOKS, ids=("desk", "phone", "dark", "paper"))
def page(browser: Any, report: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The report, opened; errors and requests are collected on the way."""
    look = dict(request.param)
    on_paper = look.pop("print", False)
    context = browser.new_context(**look)
    opened = context.new_page()
    opened.said, opened.asked = [], []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    if on_paper:
        opened.emulate_media(media="print")
    opened.goto(report.as_uri(), wait_until="networkidle")
    yield opened
    context.close()


def test_nothing_is_said_and_nothing_fetched(page: Any, report: Path) -> None:
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [report.as_uri()]


def test_an_accessibility_checker_finds_nothing(page: Any) -> None:
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    if page.viewport_size["width"] > 400:  # what a phone's window cuts off has the colours of the desk
        assert "color-contrast" not in [check["id"] for check in found.response["incomplete"]]


def test_the_page_is_no_wider_than_its_window(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_everything_that_scrolls_is_reached_by_keyboard_and_seen(page: Any) -> None:
    wanted = page.locator("a[href], .scroll").count()
    seen = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        style = "getComputedStyle(document.activeElement)"
        assert page.evaluate(f"{style}.outlineStyle") == "solid"
        assert float(page.evaluate(f"{style}.outlineWidth").removesuffix("px")) >= 2
        seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(seen) == wanted


def rows(page: Any, caption: str) -> dict[str, list[str]]:
    """A table's rows by what names them."""
    table = page.locator("table", has=page.locator("caption", has_text=caption)).first
    found = table.locator("tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].map(c => c.innerText))")
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in found}


def word(node: dict[str, Any]) -> str:
    if node["ratio"] is None or node["ratio"] > 1:
        return "a fault"
    return "inherited" if node["inherited"] else "rounding"


def spread_is_drawn(page: Any, verdicts: dict[str, str]) -> None:
    """The bars are as long as the powers of ten, and of the colour of the word beside them."""
    table = page.locator("table", has=page.locator("caption", has_text="From 1e-8"))
    drawn = table.locator("tbody tr").evaluate_all(
        """rows => rows.map(row => {
            const bar = row.querySelector('.bar > span'), word = row.cells[2].querySelector('span');
            return [bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width,
                    getComputedStyle(bar).backgroundColor, getComputedStyle(word).color, row.cells[1].innerText.trim()];
        })"""
    )
    assert len(drawn) == len(verdicts)
    for width, ground, ink, text in drawn:
        share = 1.0 if text.startswith("NaN") else min(max((math.log10(float(text) or 1e-8) + 8) / 8, 0), 1)
        assert width == pytest.approx(share, abs=0.01)
        assert ground == ink
    assert len({ground for _, ground, _, _ in drawn}) == 3


def test_the_tables_hold_the_numbers_of_the_text(page: Any, report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    title = page.title()
    if title.startswith("Check"):
        main([*json.loads((report.parent / "command.json").read_text()), "--json"])
        held = json.loads(capsys.readouterr().out)
        verdicts = {node["name"]: word(node) for node in held["nodes"]}
        differences = [node["max_abs"] for node in held["nodes"]]
        shown = rows(page, "Each node")
        assert {name: cells[-1] for name, cells in shown.items()} == verdicts
        assert [cells[0] for cells in shown.values()] == ["nan" if n is None else f"{n:.1e}" for n in differences]
        assert {name: cells[1] for name, cells in rows(page, "From 1e-8").items()} == verdicts
        if not held["agree"]:
            assert list(verdicts.values()).count("a fault") == 2
            assert {"rounding", "inherited"} <= set(verdicts.values())
            assert rows(page, "From 1e-8")["classes"][0] == "NaN or infinite"
            spread_is_drawn(page, verdicts)
        return
    if title.startswith("Audit"):
        main([*COMMANDS["audit"], "--json"])
        cells = json.loads(capsys.readouterr().out)["cells"]
        shown = rows(page, "Every number")
        assert list(shown) == [cell["id"] for cell in cells]
        for cell in cells:
            printed, computed, verdict, where = shown[cell["id"]]
            assert printed.startswith(cell["printed"])
            assert (verdict, where) == (cell["verdict"].replace("_", " "), cell["where"])
            if isinstance(cell["computed"], int):
                value = float(computed.split()[0].replace(",", ""))
                assert value in (cell["computed"], pytest.approx(cell["computed"] / 1e6, rel=1e-3)) or "KB" in computed
        assert "reduction=6" in rows(page, "Assumptions, and")
    main([*COMMANDS["count"], "--json"])
    counted = json.loads(capsys.readouterr().out)
    networks = page.locator("table", has=page.locator("caption", has_text="Parameters and multiply")).count()
    assert networks == (2 if title.startswith("Audit") else 1)
    tables = page.locator("table", has=page.locator("caption", has_text="Parameters and multiply")).last
    found = tables.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(c => c.innerText.trim()))"
    )
    assert [(name, n, macs) for name, _, _, n, macs in found] == [
        (row["node"], f"{row['parameters']:,}", f"{row['macs']:,}") for row in counted["rows"]
    ]
    assert page.locator("table", has=page.locator("caption", has_text="What is alive")).count() == networks
