"""Hold `numjaz.compare` against a corpus of planted faults: ``judge.py FOLDER [--json FILE] [--only REGEX]``.

What `plant.py` wrote is compared case by case. Printed are tables by kind, by family and by runner, and every miss on
a line of its own; the exit code is 1 where a share is below what `WANTED` says, or any agreeing pair is called
different.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from corpus import read_cases

import numjaz
from numjaz.compare.divergence import compare
from numjaz.compare.runs import read_run

Case = dict[str, Any]
WANTED = {  # of each kind, what share of the cases that float32 can show
    "single": {"node": 0.99, "cause": 0.97},
    "pair": {"node": 0.95, "cause": 0.85},
    "agree": {"agree": 1.0},
    "outside": {"node": 1.0, "cause": 1.0},
}
SEPARATOR = " or "  # between causes that explain a fault alike


def judged(folder: Path, cases: list[Case]) -> Iterator[Case]:
    """Each case with what was found in it."""
    held, model = "", None
    for case in sorted(cases, key=lambda case: case["model"]):
        begun = time.perf_counter()
        found: Case = {"agrees": None, "node": None, "cause": None, "error": None}
        try:
            if case["model"] != held:
                held, model = case["model"], numjaz.load(folder / case["model"])
            made = compare(model, read_run(folder / case["run"]))
            found |= {"agrees": made.agree, "node": made.node, "cause": made.cause}
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {error}"
        yield {**case, "found": found, "seconds": time.perf_counter() - begun, **_verdict(case, found)}


def _verdict(case: Case, found: Case) -> Case:
    """What is right of it: ``agree``, ``node`` and ``cause``, shares from 0 to 1."""
    if case["kind"] == "agree":
        return {"right": {"agree": float(found["agrees"] is True)}, "shown": True}
    matched = [_matches(expected, found["cause"]) for expected in case["expected"]]
    if case["kind"] == "pair" and not case["same_node"]:
        matched = matched[:1]
    node = found["node"] in case["nodes"]
    half = sum(matched) / len(matched)
    right = {"node": float(node), "cause": float(node and half == 1), "half": float(node and half > 0)}
    return {"right": right, "shown": not (case["tiny"] and found["agrees"])}


def _matches(expected: Iterable[str], cause: str | None) -> bool:
    return cause is not None and any(re.search(pattern, cause) for pattern in expected)


def table(results: list[Case], key: Callable[[Case], str]) -> Iterator[str]:
    """A line for each of what the key tells apart: cases, undetectable ones, what is right, and how many causes."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for each in results:
        groups[key(each)].append(each)
    width = max(map(len, groups))
    yield f"{'':{width}}  cases  shown  agree   node  cause   half  causes named"
    for name in sorted(groups):
        shown = [each for each in groups[name] if each["shown"]]
        counts = [_counted(shown, what) for what in ("agree", "node", "cause", "half")]
        told = [len(each["found"]["cause"].split(SEPARATOR)) for each in shown if each["found"]["cause"]]
        mean = f"{sum(told) / len(told):.1f}" if told else ""
        yield f"{name:{width}}  {len(groups[name]):5}  {len(shown):5}  {'  '.join(counts)}  {mean:>12}"


def _counted(shown: list[Case], what: str) -> str:
    kept = [each["right"][what] for each in shown if what in each["right"]]
    return f"{sum(kept):5.0f}" if kept else "    ."


def miss(case: Case) -> str:
    """What was expected and what was found, on one line."""
    found = case["found"]
    said = found["error"] or ("agrees" if found["agrees"] else f"{found['node']}: {found['cause']}")
    what = " + ".join(f"{f} ({v})" if v else f for f, v in zip(case["families"], case["variants"], strict=True))
    where = f"{case['network']} {case['weights']} {case['runner']} {case['dtype']} batch {case['batch']}"
    wanted = f"{'/'.join(case['nodes'])}: {what} {case['expected']}" if case["nodes"] else "agrees"
    notes = f"  [{', '.join(case['notes'])}]" if case["notes"] else ""
    return f"{case['id']}  {where}{notes}  WANTED {wanted}  FOUND {said}"[:600]


def missed(case: Case) -> bool:
    """Whether anything of it is wrong that could have been seen."""
    wanted = WANTED[case["kind"]]
    return case["shown"] and any(case["right"][what] < 1 for what in wanted)


def shares(results: list[Case]) -> Iterator[tuple[str, str, float, float]]:
    """Kind, what, the share that is right, and the share wanted."""
    for kind, wanted in WANTED.items():
        shown = [each for each in results if each["kind"] == kind and each["shown"]]
        for what, share in wanted.items():
            if shown:
                yield kind, what, sum(each["right"][what] for each in shown) / len(shown), share


def _family(case: Case) -> str:
    if case["kind"] in ("single", "outside"):
        return f"{case['kind']}: {case['families'][0]}"
    if case["kind"] == "pair":
        return "pair: in one node" if case["same_node"] else "pair: in two nodes"
    return f"agree: {case['dtype']}, {case['weights']}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write what was found in every case")
    parser.add_argument("--only", default="", help="cases in whose id or families this expression is found")
    args = parser.parse_args()
    cases = [c for c in read_cases(args.folder) if re.search(args.only, " ".join([c["id"], *c["families"]]))]
    if not cases:
        parser.error(f"no cases in {args.folder}")
    results, begun = [], time.perf_counter()
    for each in judged(args.folder, cases):
        results.append(each)
        if sys.stderr.isatty():
            print(f"\r{len(results)} of {len(cases)}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    for line in filter(missed, results):
        print(miss(line))
    for key in (_family, lambda case: f"{case['kind']}: {case['runner']}", lambda case: case["kind"]):
        print(*["", *table(results, key)], sep="\n")
    print(f"\n{len(results)} cases in {time.perf_counter() - begun:.0f} s")
    found = list(shares(results))
    for kind, what, share, wanted in found:
        print(f"{kind}: {what} right in {share:.2%}, wanted {wanted:.0%}{'' if share >= wanted else '  BELOW'}")
    failed = sum(share < wanted for *_, share, wanted in found)
    print(f"\n{len(found) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
