"""The pickle of a torch file alone: what is a state dict in it, and where."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from tensor_builders import EMPTY, named, number, storage, table, tensor, text, torch_file, tuple_of
from tensor_reading import read, same

from numjaz.doors.pickle import tensor_tables
from numjaz.errors import NumjazError, NumjazWarning


def tables(root: bytes, protocol: int = 2) -> dict[str, list[str]]:
    made = tensor_tables(b"\x80" + bytes([protocol]) + root + b".", "data.pkl")
    return {path: list(table) for path, table in made.items()}


def pairs(*held: tuple[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in held) + b"u"


ONE = table(("w", tensor()))


def test_state_dicts_are_found_by_their_paths() -> None:
    assert tables(ONE) == {"": ["w"]}
    assert tables(pairs(("a", pairs(("b", ONE))), ("c", ONE))) == {"a.b": ["w"], "c": ["w"]}
    assert tables(ONE + text("inner") + ONE + b"s") == {"": ["w"], "inner": ["w"]}
    assert tables(b"(" + ONE + ONE + b"t") == {"0": ["w"], "1": ["w"]}
    assert tables(b"](" + ONE + b"Ne") == {"0": ["w"]}
    assert tables(b"N") == tables(tensor()) == tables(text("w")) == {}


def test_neighbours_that_are_no_tensors_are_left_out() -> None:
    held = (("a", b"N"), ("w", tensor()), ("b", number(-5)), ("c", b"\x88"), ("d", b"G" + struct.pack(">d", 0.5)))
    assert tables(table(*held, ("e", b"]"), ("f", storage()), ("g", EMPTY))) == {"": ["w"]}
    assert tables(b"}" + number(0) + tensor() + b"s") == {}  # under a number, not a name


def test_a_state_dict_by_two_paths_is_one() -> None:
    made = tensor_tables(b"\x80\x02" + pairs(("a", ONE + b"q\1"), ("b", b"h\1")) + b".", "data.pkl")
    assert list(made) == ["a", "b"]
    assert made["a"] is made["b"]


def test_one_table_under_two_names_needs_no_choice(tmp_path: Path) -> None:
    torch_file(tmp_path / "m.pt", pairs(("a", ONE + b"q\1"), ("b", b"h\1")))
    with pytest.warns(NumjazWarning, match="took 'a'"):
        assert list(read(tmp_path / "m.pt")) == ["w"]


def test_two_paths_that_read_alike() -> None:
    with pytest.raises(NumjazError, match=r"^data.pkl: two state dicts stand under the path 'a.b'"):
        tables(pairs(("a.b", ONE), ("a", pairs(("b", ONE)))))


def test_states_of_optimizers_are_no_state_dicts() -> None:
    by_name = pairs(("state", pairs(("layer.weight", pairs(("exp_avg", tensor()))))), ("param_groups", b"]"))
    assert tables(by_name) == {}
    assert tables(pairs(("optimizer", by_name), ("model", ONE))) == {"model": ["w"]}
    assert tables(pairs(("state", ONE))) == {"state": ["w"]}


def test_cycles_end() -> None:
    assert tables(b"}q\1" + text("self") + b"h\1s" + text("w") + tensor() + b"s") == {"": ["w"], "self": ["w"]}
    assert tables(b"]q\1(h\1h\1" + ONE + b"e") == {"2": ["w"]}


def test_opcodes_of_later_protocols() -> None:
    names = b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93"
    assert (
        tables(b"\x95" + struct.pack("<Q", 20) + names + b")R(\x8c\x01w\x94h\2" + tensor()[0:0] + b"u", protocol=4)
        == {}
    )
    assert tables(names + b")R(\x8c\x01w" + tensor() + b"u", protocol=5) == {"": ["w"]}


def test_parameters_and_versions() -> None:
    parameter = b"ctorch._utils\n_rebuild_parameter\n" + tensor() + b"\x88" + EMPTY + b"\x87R"
    assert tables(table(("w", parameter))) == {"": ["w"]}
    assert tables(ONE + pairs(("_metadata", EMPTY)) + b"b") == {"": ["w"]}
    v3 = tensor(held=storage("torch.storage.UntypedStorage", numel=24)).replace(b"_v2", b"_v3")
    assert tables(table(("w", v3[:-2] + b"ctorch\nfloat32\ntR"))) == {"": ["w"]}
    for wrong in (v3[:-2] + b"NtR", v3, tensor().replace(b"_v2", b"_v3")[:-2] + b"ctorch\nfloat32\ntR"):
        with pytest.raises(NumjazError, match=r"without a dtype|without a storage|of 6 parts"):
            tables(wrong)
    for wrong in (b"ctorch._utils\n_rebuild_parameter\nN\x88" + EMPTY + b"\x87R", b"ccollections\nOrderedDict\n]\x85R"):
        with pytest.raises(NumjazError, match=r"more than a tensor|item by item"):
            tables(wrong)


def test_every_form_of_an_integer_and_of_the_memo() -> None:
    for two in (b"K\2", b"M\2\0", b"J\2\0\0\0", b"\x8a\1\2"):
        shape = b"(" + two + number(3) + b"t"
        assert tables(table(("w", tensor(shape=shape)))) == {"": ["w"]}
    kept = text("w") + b"r\1\1\0\0" + tensor() + b"sh\0" + text("v") + tensor() + b"s"
    assert tables(EMPTY + b"q\0" + kept.replace(b"sh\0", b"s") + b"j\0\0\0\0\x86") == {"0": ["w", "v"], "1": ["w", "v"]}
    assert tables(EMPTY + b"\x94(" + text("w") + b"\x94" + tensor() + b"u") == {"": ["w"]}


def test_a_stride_along_one_element_may_be_anything(tmp_path: Path) -> None:
    torch_file(tmp_path / "m.pt", table(("w", tensor(tuple_of(1, 6), tuple_of(2**200, 1)))))
    same(read(tmp_path / "m.pt"), {"w": np.arange(6, dtype=np.float32).reshape(1, 6)})


STORAGE = named("torch.FloatStorage")
REBUILD, HOOKS = named("torch._utils._rebuild_tensor_v2"), b"\x89" + EMPTY


@pytest.mark.parametrize(
    ("root", "said"),
    [
        (named("torch._utils._rebuild_nested_tensor"), "a nested tensor is not read"),
        (named("torch._utils._rebuild_parameter_with_state"), "attributes of its own is not read"),
        (named("torch.QUInt8Storage"), "a quantised tensor is not read"),
        (b"(N", "more or less than one value"),
        (b"", "more or less than one value"),
        (b"ctorch\nSize" + b"x" * 300, "a name at 9 that does not end"),
        (b"ctorch\n\xff\n", "text that is none"),
        (b"(Ne", "no list stands"),
        (b"q\0", "a value is missing"),
        (b"}(Nu", "a key without a value"),
        (b"K\1" + text("Size") + b"\x93", "a name that is no text"),
        (text("torch") + b"K\1\x93", "a name that is no text"),
        (named("torch.Size") + b"]R", "calls what is no function"),
        (b"NQ", "a reference that is no storage"),
        (text("storage") + b"\x85Q", "a reference that is no storage"),
        (
            b"(" + text("stowage") + STORAGE + text("0") + text("cpu") + number(6) + b"tQ",
            "a reference that is no storage",
        ),
        (b"(" + text("storage") + b"N" + text("0") + text("cpu") + number(6) + b"tQ", "without its type, key or place"),
        (b"(" + text("storage") + STORAGE + b"N" + text("cpu") + number(6) + b"tQ", "without its type, key or place"),
        (b"(" + text("storage") + STORAGE + text("0") + b"N" + number(6) + b"tQ", "without its type, key or place"),
        (b"(" + text("storage") + STORAGE + text("0") + text("cpu") + b"NtQ", "declares a NoneType elements"),
        (REBUILD + storage() + b"\x85R", "a tensor of 1 parts"),
        (REBUILD + b"(" + storage() + b"N" + tuple_of(6) + tuple_of(1) + HOOKS + b"tR", "begins at a NoneType"),
        (REBUILD + b"(" + storage() + number(0) + tuple_of(6) + b"]" + HOOKS + b"tR", "strides of a list"),
        (tensor(stride=b"](" + number(3) + number(1) + b"e"), "strides of a list"),
        (tensor(held=storage("torch.storage.UntypedStorage")), "without a storage of plain numbers"),
        (tensor(held=storage()).replace(b"_v2", b"_v3")[:-2] + named("torch.Size") + b"tR", "without a dtype"),
        (named("torch._utils._rebuild_parameter") + tensor() + b"\x85R", "more than a tensor"),
        (named("torch._utils._rebuild_parameter") + tensor() + b"\x88}NNs\x87R", "more than a tensor"),
        (named("collections.Counter") + b"]\x85R", "a Counter of what is no dict"),
        (named("collections.Counter") + b")R", "a Counter of what is no dict"),
        (named("torch.Size") + b"]\x85R", "a torch.Size of what is no tuple"),
        (named("torch.Size") + b"))\x86R", "a torch.Size of what is no tuple"),
        (bytes(4 << 20), "4,194,307 bytes; at most 4,194,304"),
    ],
)
def test_pickles_that_are_no_tables(root: bytes, said: str) -> None:
    with pytest.raises(NumjazError, match=f"^data.pkl: .*{said}"):
        tables(root)


def test_a_pickle_without_an_end() -> None:
    with pytest.raises(NumjazError, match=r"^data.pkl: cut short: the pickle does not end"):
        tensor_tables(b"\x80\2" + ONE, "data.pkl")


@pytest.mark.parametrize("start", [b"", b"\x80", b"}.", b"N\2}."])
def test_pickles_that_are_none(start: bytes) -> None:
    with pytest.raises(NumjazError, match="not a pickle of protocol 2 to 5"):
        tensor_tables(start, "data.pkl")


def test_an_empty_view_may_begin_behind_the_end() -> None:
    """As torch leaves it after cutting: an offset from which nothing is read."""
    assert tables(table(("w", tensor(shape=tuple_of(0, 3), offset=number(9))))) == {"": ["w"]}


def test_neighbours_that_checkpoints_hold() -> None:
    counter = b"ccollections\nCounter\n}" + number(3) + number(1) + b"s\x85R"
    size = b"ctorch\nSize\n(" + number(1) + b"t\x85R"
    device = b"ctorch\ndevice\n" + text("cpu") + b"\x85R"
    held = (("a", counter), ("b", size), ("c", device), ("d", b"ctorch\nbfloat16\n"))
    assert tables(pairs(*held, ("m", ONE))) == {"m": ["w"]}
    shaped = tensor(shape=b"ctorch\nSize\n" + b"(" + number(2) + number(3) + b"t\x85R")
    assert tables(table(("w", shaped))) == {"": ["w"]}
