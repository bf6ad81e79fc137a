"""Claims files: what they may say, what they may not, and what `numjaz audit` makes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import numjaz
from numjaz.audit.assumptions import ASSUMED, CHOICES, SYNONYMS
from numjaz.audit.claims import QUANTITIES
from numjaz.audit.wording import VERDICTS
from numjaz.cli import main
from numjaz.report import latex, markdown

Capture = pytest.CaptureFixture[str]
GOOD = """[paper]
title = "A paper"
[[cell]]
id = "a"
where = "Table I"
quantity = "macs"
printed = "6.96M"
unit = "MACs"
model = "jazbat"
"""
NUMBER = 'quantity = "macs"\nprinted = "6.96M"\nunit = "MACs"'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('unit = "MACs"\n', "", "line 3: cell 'a' lacks the key 'unit'"),
        ('unit = "MACs"', 'unit = "furlong"', "line 8: key 'unit': 'furlong' is not one of MACs"),
        ('quantity = "macs"', 'quantity = "speed"', "line 6: key 'quantity': 'speed' is not one of macs"),
        ('printed = "6.96M"', 'printed = "many"', "line 7: key 'printed': printed 'many' is no number"),
        ('printed = "6.96M"', "printed = 6.96", "line 7: key 'printed' of cell 'a' must be text in quotes, not 6.96"),
        ('model = "jazbat"', 'colour = "red"', "line 9: key 'colour' of cell 'a' is not one of id"),
        (
            'model = "jazbat"',
            "options = { window = nan }",
            "line 9: key 'options' of cell 'a': 'window' is neither text, a number nor true or false",
        ),
        ('model = "jazbat"', "may_vary = [3]", "line 9: key 'may_vary' of cell 'a' must be a list of texts"),
        ('model = "jazbat"\n', GOOD[GOOD.index("[[cell]]") :], "line 9: two cells have the id 'a'"),
        (
            'quantity = "macs"',
            'quantity = "ratio"',
            "line 8: key 'unit': 'MACs' is no unit of ratio; its units are x, ×, %",
        ),
        ('quantity = "macs"', 'quantity = "windows"', "line 8: key 'unit': 'MACs' is no unit of windows"),
        (NUMBER, 'quantity = "ratio"\nprinted = "5"\nunit = "x"', "line 3: a ratio needs of = [id, id]"),
        (NUMBER, 'quantity = "sum"\nprinted = "5"\nunit = ""\nof = ["a"]', "line 3: a sum needs of = [id, id, …]"),
        (NUMBER, 'quantity = "windows"\nprinted = "5"\nunit = ""', "line 3: windows need samples, window and hop"),
        (NUMBER, 'quantity = "growth"\nprinted = "T²"\nunit = ""', "line 3: a growth needs symbols"),
        (NUMBER, 'quantity = "growth"\nprinted = "T/h"\nunit = ""', "line 7: key 'printed': 'T/h' is no formula"),
        ('unit = "MACs"', 'unit = "KB"', "line 8: key 'unit': 'KB' is no unit of macs; its units are MACs, FLOPs"),
        ('id = "a"', f'id = "{"a" * 61}"', "line 4: key 'id': must have 1 to 60 characters"),
        ('id = "a"', 'id = " "', "line 4: key 'id': must have 1 to 60 characters"),
        ('printed = "6.96M"', 'printed = "1e999"', "line 7: key 'printed': printed '1e999' is no finite number"),
        ('[paper]\ntitle = "A paper"\n', "", "needs a [paper]"),
        ("[paper]", "[papers]", "line 1: 'papers' is neither [paper] nor [[cell]]"),
        ('title = "A paper"', "title = ", "not readable as TOML"),
        ('title = "A paper"', 'title = "A paper"\ntitle = "B"', "not readable as TOML"),
    ],
)
def test_a_claims_file_with_an_error(tmp_path: Path, capsys: Capture, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "claims.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_options_that_cannot_be(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD + 'may_vary = ["colour"]\n', encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert (
        "cell 'a': may_vary names 'colour', of which no cell states a value; known are convention, form"
        in capsys.readouterr().err
    )
    path.write_text(GOOD.replace('model = "jazbat"', 'model = "nothere"'), encoding="utf-8")
    assert main(["audit", str(path)]) == 1
    assert "a: not derivable: nothere: No such file" in capsys.readouterr().out


def test_the_command(capsys: Capture) -> None:
    assert main(["audit", "jazbat-net"]) == 1
    text = capsys.readouterr().out
    assert "  reduction=6: 9 cells: macs-1d 6,955,044 (30 of 68 neighbours too: weak); macs-3d" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "two networks: reduction must be 6" in text
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    shown = readme[readme.index("## Audit a paper") :].partition("```text\n")[2].partition("```")[0]
    assert all(line in text.splitlines() for line in shown.splitlines())
    assert main(["audit", "jazbat-net", "--json"]) == 1
    held = json.loads(capsys.readouterr().out)
    cell = next(cell for cell in held["cells"] if cell["id"] == "total")
    assert (cell["printed"], cell["computed"], cell["verdict"]) == ("28,360", 29_212, "contradicts")
    assert cell["explanations"][0]["assumptions"] == {"reduction": 6}
    assert main(["audit", "jazbat-net", "--markdown"]) == 1
    assert "| total | Table IV | 28,360 | 29,212 | contradicts | 28,360 with reduction=6" in capsys.readouterr().out


def test_a_file_to_fill_in(tmp_path: Path, capsys: Capture) -> None:
    assert main(["audit", "--init", "jazbat:features=3,reset_after=false"]) == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["audit", str(path)]) == 0  # what numjaz computes is what stands there
    assert capsys.readouterr().out.count("  exact\n") == 4
    assert main(["audit"]) == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("{ feature = 3 }", "unexpected keyword argument 'feature'"),
        ('{ convention = "Thop" }', "convention 'Thop' is not one of matmul"),
        ("{ nodes = 3 }", "no node's name begins with 3"),
        ('{ nodes = "zzz" }', "no node's name begins with 'zzz'"),
        ("{ batch = 0 }", "batch must be 1 window or more"),
        ("{ window = 2.5 }", "window must be 1 sample or more"),
        ('{ dtype = "bfloat16" }', "dtype 'bfloat16' is not one of"),
        ('{ statistics = "zz" }', "statistics 'zz' is not one of counted, left out"),
    ],
)
def test_options_that_cannot_be_say_why(tmp_path: Path, capsys: Capture, options: str, reason: str) -> None:
    """A slip of the pen is neither the paper's fault nor a passed audit."""
    path = tmp_path / "claims.toml"
    path.write_text(GOOD + f"options = {options}\n", encoding="utf-8")
    assert main(["audit", str(path)]) == 1
    text = capsys.readouterr().out
    assert "not_derivable" in text
    assert reason in text.partition("not derivable: ")[2]


def test_tables_of_a_file_cannot_break_a_page(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD.replace("Table I", "a|b\\u001b[2J"), encoding="utf-8")
    assert main(["audit", str(path), "--markdown"]) == 1
    assert "| a | a\\|b?[2J | 6.96M |" in capsys.readouterr().out


def test_names_and_files(tmp_path: Path, capsys: Capture) -> None:
    assert main(["audit", "nope"]) == 2
    assert (
        "nope: no such file; the claims that come with numjaz are cnn-bigru, generisch-net" in capsys.readouterr().err
    )
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert main(["audit", str(tmp_path / "bom.toml")]) == 1
    assert main(["count", "jazbat:reset_after=False"]) == 0


def test_the_documentation_names_what_a_claims_file_may_say() -> None:
    text = (Path(__file__).parent.parent / "docs" / "audit.md").read_text(encoding="utf-8")
    for name in (*QUANTITIES, *CHOICES, *VERDICTS, *ASSUMED, *SYNONYMS):
        assert f"`{name}`" in text, name


def beside(tmp_path: Path, more: str) -> str:
    """A claims file of a network that lies beside it."""
    numjaz.jazbat(reduction=6).save(tmp_path / "mine.npz")
    path = tmp_path / "claims.toml"
    path.write_text(GOOD.replace('model = "jazbat"', 'model = "mine.npz"') + more, encoding="utf-8")
    return str(path)


def test_a_model_file_lies_beside_its_claims(tmp_path: Path, capsys: Capture) -> None:
    assert main(["audit", beside(tmp_path, "")]) == 0
    assert "6.96M  6,955,044  rounds" in capsys.readouterr().out


def test_a_file_has_no_options(tmp_path: Path, capsys: Capture) -> None:
    assert main(["audit", beside(tmp_path, "options = { reduction = 6 }\n")]) == 1
    assert "mine.npz: a file has no options, and reduction would be one" in capsys.readouterr().out


def test_a_files_bytes_are_those_that_it_has(tmp_path: Path, capsys: Capture) -> None:
    size = numjaz_bytes(tmp_path)
    cell = GOOD[GOOD.index("[[cell]]") :].replace('id = "a"', 'id = "b"').replace('"macs"', '"file_bytes"')
    cell = (
        cell.replace('"6.96M"', f'"{size}"').replace('"MACs"', '"B"') + 'options = { format = "npz", reduction = 6 }\n'
    )
    path = tmp_path / "claims.toml"
    path.write_text(GOOD + cell, encoding="utf-8")
    assert main(["audit", str(path)]) == 1  # macs contradict
    assert re.search(rf"{size} B +{size:,} B  exact", capsys.readouterr().out)


def numjaz_bytes(tmp_path: Path) -> int:
    path = tmp_path / "other.npz"
    numjaz.jazbat(reduction=6).save(path)
    return path.stat().st_size


def test_a_model_may_state_its_options(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD.replace('"jazbat"', '"jazbat:reduction=6"'), encoding="utf-8")
    assert main(["audit", str(path)]) == 0
    assert "6.96M  6,955,044  rounds" in capsys.readouterr().out


def one(tmp_path: Path, capsys: Capture, cell: str, paper: str = "") -> dict[str, Any]:
    """The only cell of a claims file, as JSON."""
    path = tmp_path / "claims.toml"
    head = f'[paper]\ntitle = "A paper"\nmodel = "jazbat"\n{paper}\n[[cell]]\nid = "a"\nwhere = "Table I"\n'
    path.write_text(head + cell, encoding="utf-8")
    assert main(["audit", str(path), "--json"]) in (0, 1)
    (found,) = json.loads(capsys.readouterr().out)["cells"]
    return found


@pytest.mark.parametrize(
    ("quantity", "printed", "may_vary", "assumptions"),
    [
        ("macs", "7,301,702", ["R", "convention"], {"reduction": 10, "convention": "thop"}),
        ("macs", "3,510,332", ["R", "window"], {"reduction": 10, "window": 128}),
        ("parameters", "39,428", ["R", "units"], {"reduction": 10, "units": 48}),
        ("parameters", "28,452", ["R", "bias"], {"reduction": 10, "reset_after": False}),
        ("macs", "3,715,308", ["window", "directions"], {"window": 150, "directions": "one"}),
        ("macs", "8,262,252", ["units", "directions"], {"units": 50, "directions": "one"}),
        ("parameters", "28,643", ["R", "head"], {"reduction": 11, "head": "left out"}),
        ("parameters", "30,620", ["F", "statistics"], {"features": 9, "statistics": "left out"}),
        ("trainable", "29,212", ["statistics"], {"statistics": "counted"}),
        ("flops", "7.15M", ["per_mac"], {"per_mac": 1}),
        ("macs", "14,303,448", ["per_mac", "window"], {"per_mac": 2}),
    ],
)
def test_what_was_left_unsaid_is_found(
    tmp_path: Path, capsys: Capture, quantity: str, printed: str, may_vary: list[str], assumptions: dict[str, Any]
) -> None:
    """Also where no usual value is: every whole number of a range stands beside every other assumption."""
    unit = {"macs": "MACs", "flops": "FLOPs"}.get(quantity, "parameters")
    cell = f'quantity = "{quantity}"\nprinted = "{printed}"\nunit = "{unit}"\nmay_vary = {json.dumps(may_vary)}\n'
    found = one(tmp_path, capsys, cell)
    assert found["verdict"] in ("within", "contradicts")
    assert assumptions in [e["assumptions"] for e in found["explanations"]]
    assert all(len(e["assumptions"]) == len(assumptions) for e in found["explanations"])
    lost = one(tmp_path, capsys, cell.replace(json.dumps(may_vary), json.dumps(may_vary[1:])))
    assert assumptions not in [e["assumptions"] for e in lost["explanations"]]


@pytest.mark.parametrize(
    ("quantity", "printed", "unit", "more", "verdict"),
    [
        ("model_bytes", "116.8 kB", "kB", "", "rounds"),  # the unit where it stands, too
        ("model_bytes", "116,848 B", "B", "", "exact"),
        ("model_bytes", "114.1 KiB", "KiB", "", "rounds"),
        ("parameters", "29.212K", "parameters", "", "exact"),  # all digits are there
        ("parameters", "2.9212×10^4", "parameters", "", "exact"),
        ("parameters", "2.9212e4", "parameters", "", "exact"),
        ("parameters", "29.2K params", "parameters", "", "rounds"),
        ("parameters", "29K–30K", "parameters", "", "rounds"),
        ("parameters", "16.365K", "parameters", "options = { nodes = 'zz' }", "not_derivable"),
        ("flops", "14.77M", "FLOPs", "options = { convention = 'calflops-flops' }", "rounds"),  # they are FLOPs already
        ("flops", "14,303,448", "FLOPs", "options = { convention = 'flopcounter' }", "exact"),
        ("macs", "—", "MACs", "", "not_derivable"),
        ("macs", "157.88M", "MACs", "model = ''", "not_derivable"),  # another paper's
    ],
)
def test_verdicts(
    tmp_path: Path, capsys: Capture, quantity: str, printed: str, unit: str, more: str, verdict: str
) -> None:
    cell = f'quantity = "{quantity}"\nprinted = "{printed}"\nunit = "{unit}"\n{more}\n'
    assert one(tmp_path, capsys, cell)["verdict"] == verdict


def test_kilobytes_of_1024(tmp_path: Path, capsys: Capture) -> None:
    cell = 'quantity = "model_bytes"\nprinted = "114.1"\nunit = "kB"\nmay_vary = ["unit", "dtype"]\n'
    assert one(tmp_path, capsys, cell)["explanations"][0]["assumptions"] == {"unit": "binary"}


@pytest.mark.parametrize(
    "printed", ["29.2 thousand", "7.15 million", "29,2K", "29,21", "29.2\u039a", "7.15m", "29.2%", "29.2x", "29.2 MB"]
)
def test_what_is_misread_easily_is_no_number(tmp_path: Path, capsys: Capture, printed: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD.replace("6.96M", printed), encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert "line 7: key 'printed': printed" in capsys.readouterr().err


def test_two_networks_are_told_apart_by_what_explains_them(tmp_path: Path, capsys: Capture) -> None:
    """Options that no cell states, and values that nobody uses."""
    cell = '[[cell]]\nid = "{}"\nwhere = "T"\nquantity = "{}"\nprinted = "{}"\nunit = ""\nmay_vary = ["{}"]\n'
    path = tmp_path / "claims.toml"
    for cells, said in (
        ((("parameters", "28,644", "R"), ("macs", "6,955,044", "R")), "reduction must be 10 (a) and 6 (b)"),
        ((("parameters", "29,212", "bias"), ("parameters", "29,020", "bias")), "reset_after must be"),
    ):
        text = "".join(cell.format(name, *each) for name, each in zip("ab", cells, strict=True))
        path.write_text('[paper]\ntitle = "A paper"\nmodel = "jazbat"\n' + text, encoding="utf-8")
        assert main(["audit", str(path)]) in (0, 1)
        assert f"two networks: {said}" in " ".join(capsys.readouterr().out.split())


def test_a_file_has_nothing_of_a_builders_to_vary(tmp_path: Path, capsys: Capture) -> None:
    assert main(["audit", beside(tmp_path, 'may_vary = ["R", "units"]\n').replace("6.96M", "5M")]) == 0
    path = Path(beside(tmp_path, 'may_vary = ["R", "units"]\n'))
    path.write_text(path.read_text(encoding="utf-8").replace("6.96M", "5M"), encoding="utf-8")
    assert main(["audit", str(path)]) == 1
    assert "a: nothing was varied that bears on it" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["claims.toml", "model.npz", "page", ""])
def test_a_report_takes_nobodys_place(tmp_path: Path, capsys: Capture, name: str) -> None:
    path = beside(tmp_path, "")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert main(["audit", path, "--html", str(tmp_path / name) if name else ""]) == 2
    assert main(["count", "jazbat", "--html", str(tmp_path / name) if name else ""]) == 2
    assert "the file's name ends in .html" in capsys.readouterr().err
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_what_would_not_end_is_not_read(capsys: Capture) -> None:
    assert main(["audit", "/dev/zero"]) == 2
    assert "not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('model = "jazbat:units=48"\noptions = { units = 32 }', "and the options state units differently"),
        ("options = { foo = 1 }", "unexpected keyword argument 'foo'; its options are features, classes"),
        ('model = "../jazbat.npz"', "No such file"),
    ],
)
def test_options_that_contradict_each_other(tmp_path: Path, capsys: Capture, line: str, said: str) -> None:
    cell = f'quantity = "macs"\nprinted = "6.96M"\nunit = "MACs"\n{line}\n'
    assert said in one(tmp_path, capsys, cell)["reason"]


def test_an_option_stated_twice(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(GOOD + "options = { reduction = 6, R = 10 }\n", encoding="utf-8")
    assert main(["audit", str(path)]) == 2
    assert "claims.toml: cell 'a': the options reduction, R state one thing twice" in capsys.readouterr().err


def test_init_prints_and_nothing_else(capsys: Capture) -> None:
    assert main(["audit", "--init", "jazbat", "--html", "a.html"]) == 2
    assert main(["audit", "--init", "jazbat", "--json"]) == 2
    assert "--init prints a claims file and nothing else" in capsys.readouterr().err


def test_latex_and_markdown_hold_what_the_papers_print() -> None:
    assert latex(["a"], [["≈ 22–23×, h², <b>"]]).splitlines()[4] == r"$\approx$ 22--23$\times$, h$^2$, $<$b$>$ \\"
    assert markdown(["a"], [["<script>"]]).splitlines()[-1] == "| &lt;script> |"
