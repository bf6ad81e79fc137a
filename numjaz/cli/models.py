"""List the networks that come with numjaz."""

from __future__ import annotations

import argparse

from numjaz.cli.output import json_line
from numjaz.formats import load
from numjaz.formats.shipped import shipped_models
from numjaz.report import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def execute(args: argparse.Namespace) -> int:
    """Run the command."""
    rows = []
    for name, path in shipped_models().items():
        model = load(path)
        judged = model.provenance.get("judged", {})
        contract = model.contract
        if args.json:
            print(
                json_line(
                    {
                        "name": name,
                        "file": str(path),
                        "classes": list(model.classes or ()),
                        "contract": contract.to_dict() if contract else None,
                        "judged": judged,
                    }
                )
            )
        low, high = judged.get("accuracy_interval", [float("nan")] * 2)
        rate = f"{contract.rate_hz:g} Hz" if contract else "?"
        accuracy = f"{judged.get('accuracy', float('nan')):.3f} [{low:.3f}, {high:.3f}]"
        rows.append(
            [
                name,
                ", ".join(contract.features) if contract else "?",
                rate,
                str(len(model.classes or ())),
                accuracy,
                str(judged.get("people", "?")),
            ]
        )
    if not args.json:
        print(table(["network", "input", "rate", "classes", "accuracy, 95 %", "other people"], rows, right=(3, 5)))
    return 0
