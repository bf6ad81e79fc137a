"""Time a network on this device, or beside other engines in one run.

Alone: one window's latency, windows a second, the share of one processor at the network's hop, memory. With
--against each engine runs in a process of its own, in turns, on inputs that vary; engines whose outputs differ
are not timed. What is told is the median of the rounds, and in brackets the least and the most.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import Any

from numjaz.cli.options import DEFAULT_MODEL, add_file_options, load_file, parsed_names
from numjaz.cli.output import json_line, note, waiting
from numjaz.cli.version import version_text
from numjaz.errors import NumjazError
from numjaz.model import Model
from numjaz.report import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL|FILE", nargs="?", default=DEFAULT_MODEL, help=f"a network (default {DEFAULT_MODEL})"
    )
    add_file_options(parser)
    parser.add_argument("--against", metavar="ENGINE,…", help="onnxruntime, litert, torch, tf-function, keras, …")
    parser.add_argument("--python", metavar="ENGINE=PATH,…", help="the interpreter of an engine, where it is not this")
    parser.add_argument("--rounds", type=int, default=5, help="how often every engine is asked (default 5)")
    parser.add_argument("--threads", type=int, default=1, help="that each engine may use (default 1)")
    parser.add_argument("--batches", metavar="N,…", default="16,64,256", help="windows at once (default 16,64,256)")
    parser.add_argument("--window", type=int, help="samples a window (default the network's, or 256)")
    parser.add_argument("--no-cold", action="store_true", help="do not time starts")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    for name, least in (("rounds", 1), ("threads", 1), ("window", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise NumjazError(f"--{name} must be {least} or more, not {value}")
    if args.against is None and args.python:
        raise NumjazError("--python goes with --against")
    model = load_file(args, args.model, builders=True)
    return _alone(args, model) if args.against is None else _beside(args, model)


def _alone(args: argparse.Namespace, model: Model) -> int:
    from numjaz.bench import measure

    found = measure(model, args.window)
    if args.json:
        print(json_line({"machine": _machine(), **asdict(found)}))
        return 0
    rows = [
        ["latency of one window", _spread(found.latency_ms, "ms", 2)],
        ["windows a second", _spread(found.windows_per_s, "", 0)],
        ["share of one processor", "no hop is stated" if found.cpu_share is None else f"{found.cpu_share:.3%}"],
        ["memory of the process", f"{found.peak_rss_mb:.0f} MiB"],
        ["arena of the plan", f"{found.arena_bytes:,} bytes"],
    ]
    print(version_text())
    print(table(["figure", "median [least, most]"], rows))
    return 0


def _beside(args: argparse.Namespace, model: Model) -> int:
    from numjaz.bench import Measured, benchmark

    pythons = parsed_names(args.python, "--python") or {}
    names = [name.strip() for name in args.against.split(",") if name.strip()]
    if not names:
        raise NumjazError("--against names no engine")
    try:
        batches = [int(text) for text in args.batches.split(",")]
    except ValueError:
        raise NumjazError(f"--batches {args.batches!r:.60}: whole numbers with commas between them") from None
    if not batches or min(batches) < 2:
        raise NumjazError("--batches: two windows or more at once; one is timed always")
    try:
        found: list[Measured] = benchmark(
            model,
            names,
            pythons=pythons,
            rounds=args.rounds,
            threads=args.threads,
            window=args.window,
            batches=batches,
            cold=not args.no_cold,
            tell=waiting,
        )
    finally:
        waiting("")
    if os.cpu_count() == args.threads:
        note("every processor is an engine's: what else runs here disturbs it")
    if args.json:
        print(json_line({"machine": _machine(), "threads": args.threads, "engines": [_plain(each) for each in found]}))
        return 0
    rows = [
        [
            each.name,
            _spread(each.latency_ms, "", 2),
            _spread(each.latency_ratio, "x", 2),
            f"{_spread(each.windows_per_s[each.best], '', 0)} at {each.best}",
            _spread(each.throughput_ratio, "x", 2),
            "" if each.cold_start_s is None else f"{each.cold_start_s.median:.2f}",
            "" if each.start_ratio is None else _spread(each.start_ratio, "x", 2),
            "" if each.peak_rss_mb is None else f"{each.peak_rss_mb.median:.0f}",
            f"{each.installed_mb:.0f}",
        ]
        for each in found
    ]
    heads = [
        "engine",
        "latency ms",
        "of numjaz's",
        "windows/s",
        "numjaz's of it",
        "start s",
        "of NumPy's",
        "MiB",
        "disk MiB",
    ]
    print(version_text())
    print(table(heads, rows))
    return 0


def _machine() -> dict[str, Any]:
    lines = [line.partition(" ") for line in version_text().splitlines()]
    return {name.lower(): value for name, _, value in lines} | {"processors": os.cpu_count()}


def _plain(each: Any) -> dict[str, Any]:
    """The medians under the names that others rely on, the spreads beside them."""
    return {
        "name": each.name,
        "latency_ms": each.latency_ms.median,
        "latency_ms_spread": list(each.latency_ms[1:]),
        "latency_ratio": list(each.latency_ratio),
        "windows_per_s": each.windows_per_s[each.best].median,
        "windows_per_s_by_batch": {str(n): list(f) for n, f in each.windows_per_s.items()},
        "best_batch": each.best,
        "throughput_ratio": list(each.throughput_ratio),
        "cold_start_s": each.cold_start_s and each.cold_start_s.median,
        "cold_start_s_spread": each.cold_start_s and list(each.cold_start_s[1:]),
        "start_ratio": each.start_ratio and list(each.start_ratio),
        "peak_rss_mb": each.peak_rss_mb and each.peak_rss_mb.median,
        "installed_mb": each.installed_mb,
        "differs": each.differs,
    }


def _spread(values: tuple[float, ...], unit: str, digits: int) -> str:
    middle, least, most = (f"{value:,.{digits}f}" for value in values)
    return f"{middle}{f' {unit}' if unit not in ('', 'x') else unit} [{least}, {most}]"
