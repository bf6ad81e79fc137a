"""Train the shipped networks with numjaz itself, on all people but those kept apart.

    NUMJAZ_DATA=… python weights/training/train.py jazbat-watch-1d-activity

Calls ``numjaz train`` in a folder of its own that holds links to the recordings, so that the record names
files alone, and puts the network, its record and its card into ``weights/``. An interrupted training goes
on when the same command is given again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from recipes import BATCH, EPOCHS, LEARNING_RATE, LIMITS, RECIPES, SEED, Recipe, data_folder

from numjaz.cli import main as numjaz

WEIGHTS = Path(__file__).parents[1]
CITATION = (
    "G. M. Weiss, K. Yoneda, T. Hayajneh, Smartphone and Smartwatch-Based Biometrics Using Activities of Daily Living, "
    "IEEE Access 7:133190-133202, 2019, doi:10.1109/ACCESS.2019.2940729"
)
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository, data set 507)"


def command(name: str, recipe: Recipe, epochs: int) -> list[str]:
    """What `numjaz` is called with."""
    contract = recipe.contract
    words = ["train", recipe.file, "--features", str(len(contract.features)), "--placement", contract.placement]
    words += ["--classes", ",".join(recipe.classes), "--apart", ",".join(recipe.apart)]
    words += ["--epochs", str(epochs), "--batch", str(BATCH), "--learning-rate", f"{LEARNING_RATE:g}"]
    words += ["--schedule", "cosine", "--seed", str(SEED), *recipe.options]
    words += ["--rate", f"{recipe.rate_hz:g}"] if recipe.rate_hz is not None else []
    words += ["--gyro", recipe.gyro] if recipe.gyro is not None else []
    words += ["--title", recipe.title[0].upper() + recipe.title[1:], "--citation", CITATION, "--licence", LICENCE]
    return [*words, "--out", f"{name}.h5"]


def main() -> None:
    """Train one network and put it in its place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="fewer, for a trial")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "numjaz-weights")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    recipe, work, out = RECIPES[args.name], args.work / args.name, args.out.resolve()
    work.mkdir(parents=True, exist_ok=True)
    for file in filter(None, (recipe.file, recipe.gyro)):
        link = work / file
        if not link.exists():
            link.symlink_to((data_folder() / file).resolve())
    os.chdir(work)
    code = numjaz([*command(args.name, recipe, args.epochs), "--resume"])
    if code:
        raise SystemExit(code)
    card = finished(args.name, Path(f"{args.name}.md").read_text(encoding="utf-8"))
    for suffix in (".h5", ".json"):
        shutil.copyfile(f"{args.name}{suffix}", out / f"{args.name}{suffix}")
    (out / f"{args.name}.md").write_text(card, encoding="utf-8")


def finished(name: str, card: str) -> str:
    """A shipped network's card: its commands find the recordings, and it ends in what the network is not for."""
    command = next(line for line in card.splitlines() if line.startswith("Reproduce: "))
    shown = command.replace("wisdm2019_", "$NUMJAZ_DATA/wisdm2019_").replace(f"-m {name}.h5", f"-m {name}")
    trained = f"- Training: `python weights/training/train.py {name}`"
    before = next(line for line in card.splitlines() if line.startswith("- Command: "))
    card = card.replace(command, shown).replace(before, f"{before}\n{trained}")
    return f"{card}\n## Limits\n\n{LIMITS[name.split('-')[1]]}\n"


if __name__ == "__main__":
    main()
