"""Hostile and broken HDF5 files, each made from one that is sound. Run by the tests; harmless to run by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

Attack = Callable[[Path], None]
ATTACKS: dict[str, tuple[Attack, str]] = {}  # name -> what it does to a sound file, what the message must say
KERNEL = "parameters/classes/kernel"


def attack(said: str) -> Callable[[Attack], Attack]:
    def register(make: Attack) -> Attack:
        ATTACKS[make.__name__] = (make, said)
        return make

    return register


def replaced(path: Path, make: Callable[[h5py.File], object], place: str = KERNEL) -> None:
    with h5py.File(path, "r+") as file:
        del file[place]
        made = make(file)
        if made is not None:
            file[place] = made


@attack("goes through ExternalLink")
def external_link(path: Path) -> None:
    shutil.copy(path, path.with_name("other.h5"))
    replaced(path, lambda file: h5py.ExternalLink("other.h5", KERNEL))


@attack("goes through SoftLink")
def soft_link_to_itself(path: Path) -> None:
    replaced(path, lambda file: h5py.SoftLink(f"/{KERNEL}"))


@attack("goes through SoftLink")
def soft_link_chain(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for k in range(20_000):
            file[f"chain{k}"] = h5py.SoftLink(f"/chain{k + 1}")
        del file[KERNEL]
        file[KERNEL] = h5py.SoftLink("/chain0")


@attack("another file")
def external_storage(path: Path) -> None:
    replaced(
        path,
        lambda file: file.create_dataset(KERNEL, (18, 3), "f4", external=[("/etc/passwd", 0, 18 * 3 * 4)]) and None,
    )


@attack("another file")
def virtual_dataset(path: Path) -> None:
    shutil.copy(path, path.with_name("other.h5"))
    layout = h5py.VirtualLayout((18, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", KERNEL, (18, 3))
    replaced(path, lambda file: file.create_virtual_dataset(KERNEL, layout) and None)


@attack("has shape")
def huge_declared_shape(path: Path) -> None:
    replaced(path, lambda file: file.create_dataset(KERNEL, (2**40, 3), "f4", chunks=(1024, 3)) and None)


def _huge(path: Path, place: str, dtype: str) -> None:
    """2^58 elements declared, none stored, contiguous."""
    with h5py.File(path, "r+") as file:
        del file[place]
        space = h5py.h5s.create_simple((2**58,))
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
        group, _, name = place.rpartition("/")
        parent = file[group] if group else file
        h5py.h5d.create(parent.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), space, plist)


@attack("declares")
def huge_golden_case(path: Path) -> None:
    _huge(path, "golden/x", "f8")


@attack("declares")
def huge_description(path: Path) -> None:
    _huge(path, "description", "u1")


@attack("declares|chunked")
def never_allocated(path: Path) -> None:
    replaced(path, lambda file: file.create_dataset(KERNEL, (18, 3), "f4", fillvalue=7.0) and None)


@attack("not plain numbers")
def integer_weights(path: Path) -> None:
    replaced(path, lambda file: np.ones((18, 3), dtype=np.int32))


@attack("not plain numbers|damaged")
def object_references(path: Path) -> None:
    replaced(path, lambda file: file.create_dataset(KERNEL, (18, 3), h5py.ref_dtype) and None)


@attack("not plain numbers")
def variable_strings(path: Path) -> None:
    replaced(path, lambda file: file.create_dataset(KERNEL, (18, 3), h5py.string_dtype()) and None)


@attack("not plain numbers")
def compound(path: Path) -> None:
    replaced(path, lambda file: np.zeros((18, 3), dtype=[("a", "f4"), ("b", "f4")]))


if np.dtype(np.longdouble).itemsize > 8:  # 32-bit ARM has none

    @attack("not plain numbers")
    def long_doubles(path: Path) -> None:
        replaced(path, lambda file: np.zeros((18, 3), dtype=np.longdouble))


@attack("not plain numbers|nothing")
def empty_dataspace(path: Path) -> None:
    replaced(path, lambda file: h5py.Empty("f4"))


@attack("has shape")
def scalar(path: Path) -> None:
    replaced(path, lambda file: np.float32(1.0))


@attack("has shape")
def compressed_bomb(path: Path) -> None:
    def make(file: h5py.File) -> None:
        file.create_dataset(KERNEL, data=np.zeros(1 << 25, dtype="f4"), compression="gzip", compression_opts=9)

    replaced(path, make)


@attack("chunked or compressed")
def compressed_golden_bomb(path: Path) -> None:
    replaced(
        path,
        lambda file: file.create_dataset("golden/x", data=np.zeros((1 << 20, 8, 3)), compression="gzip") and None,
        "golden/x",
    )


@attack("chunked or compressed")
def compressed_description_bomb(path: Path) -> None:
    replaced(
        path,
        lambda file: file.create_dataset("description", data=np.full(1 << 26, 32, "u1"), compression="gzip") and None,
        "description",
    )


@attack("is missing|not a dataset")
def cyclic_groups(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["parameters"]
        file.create_group("parameters")
        file["parameters/classes"] = file["parameters"]  # a group that contains itself


@attack("is not a dataset")
def group_for_a_dataset(path: Path) -> None:
    replaced(path, lambda file: file.create_group(f"{KERNEL}/deeper") and None)


@attack("is missing")
def missing_bias(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["parameters/classes/bias"]


@attack("is missing")
def wrong_names(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.move("parameters/classes/kernel", "parameters/classes/Kernel")


@attack("has shape")
def transposed_kernel(path: Path) -> None:
    replaced(path, lambda file: np.zeros((3, 18), dtype="f4"))


@attack("has shape")
def empty_shape(path: Path) -> None:
    replaced(path, lambda file: np.zeros((0, 3), dtype="f4"))


@attack("not finite")
def weights_not_numbers(path: Path) -> None:
    replaced(path, lambda file: np.full((18, 3), np.nan, dtype="f4"))


@attack("below 0")
def negative_variance(path: Path) -> None:
    replaced(path, lambda file: np.full(8, -1, dtype="f4"), "parameters/norm/moving_variance")


@attack("not an HDF5 file|neither HDF5")
def text_file_renamed(path: Path) -> None:
    path.write_text("these are not the weights\n" * 100)


@attack("not an HDF5 file|neither HDF5")
def empty_file(path: Path) -> None:
    path.write_bytes(b"")


@attack("damaged or cut short")
def truncated_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@attack("damaged or cut short")
def superblock_of_the_future(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8] = 99
    path.write_bytes(content)


@attack("damaged or cut short")
def root_beyond_the_end(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[64:72] = (2**40).to_bytes(8, "little")  # address of the root group's header, superblock 0
    path.write_bytes(content)


@attack("format version 99")
def version_of_the_future(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99


def _described(path: Path, text: bytes) -> None:
    replaced(path, lambda file: np.frombuffer(text, dtype=np.uint8), "description")


@attack("nested too deep")
def description_nested_deep(path: Path) -> None:
    _described(path, b"[" * 100_000)


@attack("at most 16,777,216 are read")
def description_of_40_mb(path: Path) -> None:
    _described(path, b" " * (40 << 20))


@attack("a key stands twice")
def description_with_a_key_twice(path: Path) -> None:
    _described(path, b'{"nodes": [], "nodes": []}')


@attack("NaN is not JSON")
def description_with_nan(path: Path) -> None:
    _described(path, b'{"nodes": NaN}')


@attack("not readable as JSON")
def description_not_text(path: Path) -> None:
    _described(path, b'{"nodes": "\xff"}')


@attack("not readable as JSON")
def description_with_a_huge_integer(path: Path) -> None:
    _described(path, b'{"nodes": ' + b"9" * 10**6 + b"}")


@attack("has shape|declares|units must")
def description_that_wants_terabytes(path: Path) -> None:
    with h5py.File(path) as file:
        description = json.loads(file["description"][()].tobytes())
    description["nodes"][1]["layer"]["forward_layer"]["units"] = 2**30
    _described(path, json.dumps(description).encode())


@attack("goes through ExternalLink")
def nothing_but_an_external_link(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
