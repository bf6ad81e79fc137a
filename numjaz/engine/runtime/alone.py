"""A network that left with a file of its own: predict, listen, test itself."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from numjaz.contract import Contract
from numjaz.engine.runtime.forms import Form, Value
from numjaz.engine.runtime.layout import Array, Single
from numjaz.engine.runtime.listening import Listener, Verdict
from numjaz.engine.runtime.runner import Runner
from numjaz.errors import NumjazError

RUNS = 21  # windows whose median is the latency
ULPS = 64  # of the largest output: another BLAS adds in another order


class Case(NamedTuple):
    """Windows and what they must give."""

    x: Array
    y: Array


class Alone:
    """One network for windows of one length, one at a time.

    Parameters
    ----------
    forms : sequence of Form
        In the order of execution.
    given, made : Value
        The input, and the output.
    contract : Contract or None
        What it expects of a recording.
    classes : sequence of str
        Names of the columns.
    case : Case
        What `self_test` runs again.
    """

    def __init__(
        self,
        forms: Sequence[Form],
        given: Value,
        made: Value,
        shape: tuple[int, ...],
        contract: Contract | None,
        classes: Sequence[str],
        case: Case,
    ) -> None:
        self.contract, self.classes, self.case = contract, classes, case
        self._axes = (given.time, given.channels)
        self._runner = Runner(forms, {"x": given}, {"y": made}, {"y": shape}, Single(np.float32))

    def predict(self, x: Any) -> Array:
        """Outputs (N, C) of windows (N, T, F), in float32."""
        given = np.asarray(x)
        if given.ndim != 3 or given.shape[1:] != self._axes or given.dtype.kind not in "fiu":
            raise NumjazError(
                f"x is {given.dtype} {given.shape}; windows are numbers (N, {self._axes[0]}, {self._axes[1]})"
            )
        made = self._runner.run({"x": given})
        if made is None:
            raise NumjazError("x holds a number that is not finite")
        return made["y"]

    def stream(self, **options: Any) -> Listener:
        """A `Listener`: ``rate_hz``, ``units``, ``coverage``, ``gap_s``."""
        if self.contract is None:
            raise NumjazError("this network does not say what it expects of a recording; use predict")
        return Listener(self.predict, self.contract, self.classes, **options)

    def self_test(self) -> tuple[float, float]:
        """How many units of the largest output the test case is off, and the milliseconds of a window."""
        x, expected = self.case
        off = float(np.abs(self.predict(x) - expected).max() / np.spacing(np.abs(expected).max()))
        seconds = []
        for _ in range(RUNS):
            started = time.perf_counter()
            self.predict(x[:1])
            seconds.append(time.perf_counter() - started)
        return off, 1e3 * float(np.median(seconds))


def rows(lines: Iterable[str]) -> Iterator[tuple[int, list[float]]]:
    """Numbers of a CSV, TSV or text with spaces, and their line; lines before the first of them are a header."""
    begun, number, line = False, 0, ""
    for number, line in enumerate(lines, start=1):
        words = line.removeprefix("\ufeff").replace(",", " ").replace(";", " ").split()
        try:
            found = [float(word) for word in words]
        except ValueError:
            if begun:
                raise NumjazError(f"line {number}: {line.strip():.40} is not numbers") from None
            continue
        if found:
            begun = True
            yield number, found
    if number and not begun:
        raise NumjazError(f"no line of {number} is numbers alone; the last one is {line.strip():.40}")


def shown(verdict: Verdict) -> str:
    """A verdict as a line."""
    said = "too few samples" if verdict.label is None else f"{verdict.label} {verdict.probability:.2f}"
    return f"{verdict.start_s:9.2f} {verdict.end_s:9.2f}  {said}\n"


def command(network: Alone, about: str, arguments: Sequence[str] | None = None) -> int:
    """The file as a program."""
    import argparse  # here: who imports the file does not pay for it

    parser = argparse.ArgumentParser(
        description=about.replace("%(prog)", "% (prog)"),  # which argparse would take for its own
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recording", nargs="?", help="CSV of ax, ay, az (and wx, wy, wz), a sample a line; - reads standard input"
    )
    parser.add_argument("--rate", type=float, help="samples a second of the recording (default the network's)")
    parser.add_argument("--units", default="m/s2", help="of the acceleration: m/s2, g, mg, g/64")
    parser.add_argument("--self-test", action="store_true", help="run the test case again, and time a window")
    args = parser.parse_args(arguments)
    try:
        if args.self_test or args.recording is None:
            off, latency = network.self_test()
            sys.stdout.write(f"test case off by {off:.1f} ulp of the largest output; {latency:.2f} ms a window\n")
            return 0 if off <= ULPS else 1
        return listened(network.stream(rate_hz=args.rate, units=args.units), args.recording)
    except BrokenPipeError:  # who read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except UnicodeDecodeError:
        sys.stderr.write(f"{args.recording}: not text\n")
        return 2
    except (NumjazError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def listened(stream: Listener, recording: str) -> int:
    """Verdicts of a file or of standard input, each at once."""
    if recording == "-" and sys.stdin is None:
        raise NumjazError("standard input is closed")
    source = sys.stdin if recording == "-" else open(recording, encoding="utf-8")  # noqa: PTH123, SIM115
    number, said = 0, 0
    with source:
        for number, row in rows(source):
            try:
                verdicts = stream.push(row)
            except NumjazError as error:
                raise NumjazError(f"line {number}: {error}") from None
            said += tell(verdicts)
    said += tell(stream.finish())
    if not said:
        sys.stderr.write(f"{recording}: {number} line(s), fewer samples than a window takes\n")
    return 0


def tell(verdicts: Sequence[Verdict]) -> int:
    """Write verdicts where somebody may be waiting for them, and say how many."""
    if verdicts:
        sys.stdout.writelines(map(shown, verdicts))
        sys.stdout.flush()
    return len(verdicts)
