"""Files of safetensors whose header lies, overlaps, is no JSON or has no end."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from attack_table import Attacks, entering
from tensor_builders import ROWS, safetensors

ATTACKS: Attacks = {}
attack = entering(ATTACKS)


def described(start: int = 0, end: int = 24, dtype: object = "F32", shape: object = (2, 3)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@attack("declares a header of 9,223,372,036,854,775,808", ".safetensors")
def header_of_2_63(path: Path) -> None:
    safetensors(path, {"w": described()}, length=2**63)


@attack("declares a header of", ".safetensors")
def header_longer_than_the_file(path: Path) -> None:
    safetensors(path, {"w": described()}, length=500)


@attack("at most 4,194,304 are read", ".safetensors")
def header_of_40_mb(path: Path) -> None:
    safetensors(path, b"{" + b" " * (40 << 20) + b"}")


@attack("is not described", ".safetensors")
def the_most_memory_that_a_header_takes(path: Path) -> None:
    safetensors(path, b"{" + b",".join(b'"%x":{}' % k for k in range(100_000)) + b"}")


@attack("an overlap or a hole", ".safetensors")
def tensors_that_overlap(path: Path) -> None:
    safetensors(path, {"v": described(), "w": described()})


@attack("an overlap or a hole", ".safetensors")
def a_hole_between_tensors(path: Path) -> None:
    safetensors(path, {"v": described(), "w": described(28, 52)}, ROWS * 3)


@attack("its tensors end at", ".safetensors")
def data_behind_the_tensors(path: Path) -> None:
    safetensors(path, {"w": described()}, ROWS + b"hidden")


@attack("not two places in", ".safetensors")
def a_tensor_beyond_the_data(path: Path) -> None:
    safetensors(path, {"w": described(0, 2400, shape=[600])})


@attack("not two places in", ".safetensors")
def a_tensor_before_the_data(path: Path) -> None:
    safetensors(path, {"w": described(-24, 0)})


@attack("not two places in", ".safetensors")
def offsets_that_are_no_integers(path: Path) -> None:
    safetensors(path, {"w": described() | {"data_offsets": [0.0, 24.0]}})


@attack("a key stands twice", ".safetensors")
def one_tensor_twice(path: Path) -> None:
    one = json.dumps({"w": described()})[1:-1]
    safetensors(path, f"{{{one},{one}}}".encode())


@attack("a shape that no array has", ".safetensors")
def a_shape_that_wraps_around(path: Path) -> None:
    safetensors(path, {"w": described(shape=[2**32, 2**32])})


@attack("a shape that no array has", ".safetensors")
def a_negative_shape(path: Path) -> None:
    safetensors(path, {"w": described(shape=[-2, -3])})


@attack("a shape that no array has", ".safetensors")
def a_shape_of_fractions(path: Path) -> None:
    safetensors(path, {"w": described(shape=[2.0, 3])})


@attack("declares 7 x 4 bytes", ".safetensors")
def a_shape_of_another_size(path: Path) -> None:
    safetensors(path, {"w": described(shape=[7])})


@attack("has dtype 'F8_E4M3'", ".safetensors")
def floats_of_8_bits(path: Path) -> None:
    safetensors(path, {"w": described(dtype="F8_E4M3", shape=[24])})


@attack("has dtype 'Q7'", ".safetensors")
def an_unknown_dtype(path: Path) -> None:
    safetensors(path, {"w": described(dtype="Q7")})


@attack("has dtype \\[", ".safetensors")
def a_dtype_that_is_a_list(path: Path) -> None:
    safetensors(path, {"w": described(dtype=["F32"])})


@attack("NaN is not JSON", ".safetensors")
def an_offset_that_is_no_number(path: Path) -> None:
    safetensors(path, b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 24]}}')


@attack("not readable as JSON", ".safetensors")
def a_header_that_is_no_json(path: Path) -> None:
    safetensors(path, b"{'w': __import__('os').system('touch canary')}")


@attack("nested too deep", ".safetensors")
def a_header_nested_deep(path: Path) -> None:
    safetensors(path, b'{"w":' * 100_000)


@attack("not an object of texts", ".safetensors")
def metadata_that_is_no_text(path: Path) -> None:
    safetensors(path, {"__metadata__": {"numjaz": 3}, "w": described()})


@attack("is not described", ".safetensors")
def a_tensor_with_more_to_say(path: Path) -> None:
    safetensors(path, {"w": described() | {"stride": [1, 2]}})


@attack("\\(length|declares a header", ".safetensors")
def a_header_cut_short(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 200) + b'{"w": ')
