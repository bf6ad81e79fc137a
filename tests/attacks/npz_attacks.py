"""Arrays of NumPy's in a sound archive: objects, code in the header, shapes and dtypes that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attack_table import Attacks, entering
from tensor_builders import ROWS, WEIGHTS, archive, call, entry, headed

ATTACKS: Attacks = {}
attack = entering(ATTACKS)


def npz(path: Path, content: bytes) -> None:
    path.write_bytes(archive([entry("w.npy", content)]))


def header(descr: str = "'<f4'", shape: str = "(2, 3)", more: str = "") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, {more}}}"


@attack("not plain numbers", ".npz")
def array_of_objects(path: Path) -> None:
    np.savez(path, w=np.array([{"a": 1}], dtype=object))


@attack("not plain numbers", ".npz")
def pickle_in_an_array(path: Path) -> None:
    npz(
        path,
        headed(header("'|O'", "(1,)"), b"\x80\x02" + call("os.system", f"touch {path.with_name('canary')}") + b"."),
    )


@attack("has a header of no array", ".npz")
def records(path: Path) -> None:
    np.savez(path, w=np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]))


@attack("not plain numbers", ".npz")
def texts(path: Path) -> None:
    np.savez(path, w=np.array(["a", "b"]))


@attack("not plain numbers", ".npz")
def complex_numbers(path: Path) -> None:
    np.savez(path, w=np.ones(3) * 1j)


@attack("not plain numbers", ".npz")
def dates(path: Path) -> None:
    np.savez(path, w=np.zeros(3, "M8[s]"))


@attack("not plain numbers", ".npz")
def long_doubles(path: Path) -> None:
    npz(path, headed(header("'<f16'", "(2,)"), b"\0" * 32))


@attack("has a header of no array", ".npz")
def a_dtype_of_terabytes(path: Path) -> None:
    npz(path, headed(header("('<f4', (1000000, 1000000))", "(1,)")))


@attack("declares a header of", ".npz")
def array_header_of_a_megabyte(path: Path) -> None:
    npz(path, headed(header() + " " * (1 << 20), version=(2, 0)))


@attack("declares a header of", ".npz")
def array_header_longer_than_the_entry(path: Path) -> None:
    npz(path, headed(header(), version=(2, 0), length=2**32 - 1))


@attack("has a header of no array", ".npz")
def code_in_the_header(path: Path) -> None:
    npz(path, headed(header(more=f"'x': __import__('os').system('touch {path.with_name('canary')}')")))


@attack("has a header of no array", ".npz")
def a_header_of_brackets(path: Path) -> None:
    npz(path, headed("(" * 9000))


@attack("has a header of no array", ".npz")
def a_header_of_signs(path: Path) -> None:
    npz(path, headed("{'shape': " + "-" * 9000 + "1}"))


@attack("has a header of no array", ".npz")
def a_header_with_a_number_of_thousands_of_digits(path: Path) -> None:
    npz(path, headed(header(shape=f"({'9' * 9000},)")))


@attack("has a header of no array", ".npz")
def a_header_without_a_shape(path: Path) -> None:
    npz(path, headed("{'descr': '<f4', 'fortran_order': False}"))


@attack("has a header of no array", ".npz")
def an_empty_dtype(path: Path) -> None:
    npz(path, headed(header("()")))


@attack("begins with b'NOTNUMPY'", ".npz")
def not_numpy(path: Path) -> None:
    npz(path, b"NOTNUMPY" + WEIGHTS[8:])


@attack("form 1 or 2", ".npz")
def a_version_of_the_future(path: Path) -> None:
    npz(path, headed(header(), version=(9, 0)))


@attack("form 1 or 2", ".npz")
def an_empty_entry(path: Path) -> None:
    npz(path, b"")


@attack("declares 1,000,000,000,000 x 4 bytes", ".npz")
def array_shape_of_10_12(path: Path) -> None:
    npz(path, headed(header(shape="(1000000, 1000000)")))


@attack("which no array has", ".npz")
def array_shape_that_wraps_around(path: Path) -> None:
    npz(path, headed(header(shape="(4294967296, 4294967296)")))


@attack("has a header of no array", ".npz")
def array_shape_below_zero(path: Path) -> None:
    npz(path, headed(header(shape="(-2, -3)")))


@attack("has a header of no array", ".npz")
def array_shape_of_truths(path: Path) -> None:
    npz(path, headed(header(shape="(True, 6)")))


@attack("there are 20", ".npz")
def array_cut_short(path: Path) -> None:
    npz(path, headed(header(), ROWS[:20]))


@attack("there are 30", ".npz")
def something_behind_the_array(path: Path) -> None:
    npz(path, headed(header(), ROWS + b"hidden"))


@attack("is no text", ".npz")
def a_note_of_other_bytes(path: Path) -> None:
    np.savez(path, w=np.zeros(3), numjaz=np.array([255, 254], np.uint8))
