"""Interrupt a training at a random step, by Ctrl-C, by a kill or by a full disk; resume; compare bits.

    python tests/interrupts.py 50

Each try trains in a process of its own, is interrupted twice, and ends with the weights of a training
that nothing interrupted.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

KINDS = ("ctrl-c", "kill", "full disk")
EPOCHS, WINDOWS, BATCH = 4, 50, 8
STEPS = EPOCHS * -(-WINDOWS // BATCH)
SMALL = 20_000  # bytes that a file may have where the disk is full: fewer than a checkpoint has


def train(checkpoint: str, out: str, stop: int, kind: str) -> None:
    """Train, or go on; before step ``stop`` what ``kind`` says happens."""
    import os

    import numjaz
    from numjaz.learn import run
    from numjaz.learn.augmentation import Augmentation
    from numjaz.learn.history import Progress
    from numjaz.learn.recipe import Recipe
    from numjaz.learn.training import fit

    run.CHECKPOINT_S = 0.0  # after every step
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(WINDOWS, 24, 3)).astype(np.float32), rng.integers(3, size=WINDOWS)
    recipe = Recipe(
        epochs=EPOCHS,
        batch=BATCH,
        schedule="cosine",
        patience=EPOCHS,
        augmentation=Augmentation(jitter=0.1, rotation_degrees=20.0, dropped=0.1),
    )
    done = [0]

    def tell(progress: Progress) -> None:
        at = (progress.epoch - 1) * progress.steps + progress.step
        done[0] += 1
        if at == stop:
            if kind == "ctrl-c":
                os.kill(os.getpid(), signal.SIGINT)
            elif kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif kind == "full disk":
                resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))

    model = numjaz.jazbat(features=3, classes=3, units=8, width=16, narrow=4)
    try:
        trained, _ = fit(
            model,
            x,
            labels,
            recipe,
            validation=(x[:9], labels[:9]),
            checkpoint=checkpoint,
            resume=True,
            tell=tell,
        )
    except numjaz.NumjazError as error:
        print(error)
        raise SystemExit(3) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    np.savez(out, steps=done[0], **trained.parameters)


def run_child(folder: Path, stop: int, kind: str) -> tuple[int, str]:
    command = [sys.executable, __file__, "--child", str(folder / "c.npz"), str(folder / "out.npz"), str(stop), kind]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return made.returncode, made.stdout + made.stderr


def interrupted(folder: Path, kind: str, stops: tuple[int, int], wanted: dict[str, np.ndarray]) -> str:
    """What went wrong in one try; nothing where nothing did."""
    expected = {"ctrl-c": 130, "kill": -signal.SIGKILL, "full disk": 3}[kind]
    for stop in sorted(stops):
        code, said = run_child(folder, stop, kind)
        if code != expected:
            return f"{kind} at step {stop}: ended with {code}, not {expected}: {said}"
        if kind == "full disk" and ("cannot be written" not in said or said.count("\n") != 1):
            return f"{kind} at step {stop}: said {said!r}"
    code, said = run_child(folder, 0, "")
    if code:
        return f"{kind}: did not go on: {said}"
    with np.load(folder / "out.npz") as found:
        if int(found["steps"]) >= STEPS:
            return f"{kind}: began anew"
        parts = [name for name, array in wanted.items() if found[name].tobytes() != array.tobytes()]
    return f"{kind} at {stops}: other bits in {parts[0]}" if parts else ""


def whole(folder: Path) -> dict[str, np.ndarray]:
    """The weights that nothing interrupted."""
    code, said = run_child(folder, 0, "")
    assert code == 0, said
    with np.load(folder / "out.npz") as found:
        return {name: found[name] for name in found.files if name != "steps"}


def main() -> None:
    tries, rng = int(sys.argv[1]), np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "whole").mkdir()
        wanted, wrong = whole(Path(name) / "whole"), 0
        for number in range(tries):
            folder = Path(name) / str(number)
            folder.mkdir()
            kind = KINDS[number % len(KINDS)]
            first, second = sorted(rng.choice(np.arange(2, STEPS), 2, replace=False).tolist())
            found = interrupted(folder, kind, (first, second), wanted)
            wrong += bool(found)
            print(f"{number + 1}/{tries} {kind} at steps {first} and {second}: {found or 'the same bits'}", flush=True)
    print(f"{tries - wrong} of {tries} with the same bits")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        train(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    else:
        main()
