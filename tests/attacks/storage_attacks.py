"""torch's containers whose tensors reach out of their storages, or that hold something else than tensors."""

from __future__ import annotations

from pathlib import Path

from attack_table import Attacks, entering
from tensor_builders import call, entry, number, storage, table, tensor, text, torch_file, tuple_of

ATTACKS: Attacks = {}
attack = entering(ATTACKS)


@attack("needs .* bytes of entry", ".pt")
def storage_that_lies_about_its_size(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=7)))))


@attack("needs .* bytes of entry", ".pt")
def storage_of_2_40_elements(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=2**40)))))


@attack("declares about 2\\^|elements", ".pt")
def storage_of_2_2000_elements(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=2**2000)))))


@attack("declares -6 elements", ".pt")
def storage_of_less_than_nothing(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(numel=-6)))))


@attack("which is missing", ".pt")
def storage_that_is_missing(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(key="7")))))


@attack("which is missing", ".pt")
def storage_outside_the_archive(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage(key="../../../../../etc/passwd")))))


@attack("begins at -1", ".pt")
def negative_offset(path: Path) -> None:
    torch_file(path, table(("w", tensor(offset=number(-1)))))


@attack("reaches to element", ".pt")
def offset_beyond_the_end(path: Path) -> None:
    torch_file(path, table(("w", tensor(offset=number(1)))))


@attack("reaches to element", ".pt")
def offset_of_2_1000(path: Path) -> None:
    torch_file(path, table(("w", tensor(offset=number(2**1000)))))


@attack("has strides of", ".pt")
def negative_strides(path: Path) -> None:
    torch_file(path, table(("w", tensor(stride=tuple_of(-3, 1), offset=number(3)))))


@attack("reaches to element", ".pt")
def strides_beyond_the_end(path: Path) -> None:
    torch_file(path, table(("w", tensor(stride=tuple_of(4, 1)))))


@attack("has strides of", ".pt")
def fewer_strides_than_axes(path: Path) -> None:
    torch_file(path, table(("w", tensor(stride=tuple_of(1)))))


@attack("an expanded one", ".pt")
def overlapping_strides(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(3, 3, 3), stride=tuple_of(1, 1, 1)))))


@attack("an expanded one", ".pt")
def stride_0_to_2_40(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(2**40), stride=tuple_of(0)))))


@attack("has a shape of", ".pt")
def shape_that_wraps_around(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(2**32, 2**32), stride=tuple_of(0, 0)))))


@attack("has a shape of", ".pt")
def shape_with_a_zero_and_more(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(0, 2**60, 2**60), stride=tuple_of(1, 1, 1)))))


@attack("has a shape of", ".pt")
def negative_shape(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(-2, -3)))))


@attack("has a shape of", ".pt")
def shape_of_a_thousand_axes(path: Path) -> None:
    torch_file(path, table(("w", tensor(shape=tuple_of(*[1] * 1000), stride=tuple_of(*[1] * 1000)))))


@attack("overlap more than", ".pt")
def a_thousand_views_of_one_storage(path: Path) -> None:
    held = storage(numel=1 << 18)
    view = [tensor(tuple_of((1 << 18) - k), tuple_of(1), number(k), held) for k in range(1000)]
    torch_file(path, table(*((f"w{k}", made) for k, made in enumerate(view))), zeros=1 << 20)


@attack("carries hooks", ".pt")
def hooks(path: Path) -> None:
    torch_file(path, table(("w", tensor(hooks=b"}" + text("a") + text("os.system") + b"s"))))


@attack("conjugate or negated", ".pt")
def a_negated_view(path: Path) -> None:
    torch_file(path, table(("w", tensor(metadata=b"}" + text("neg") + b"\x88s"))))


@attack("without its type", ".pt")
def storage_of_a_size(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=storage("torch.Size")))))


@attack("a tensor without a storage", ".pt")
def tensor_of_a_dict(path: Path) -> None:
    torch_file(path, table(("w", tensor(held=b"}"))))


@attack("says b'middle'", ".pt")
def byteorder_that_is_none(path: Path) -> None:
    torch_file(path, table(("w", tensor())), byteorder=b"middle")


@attack("checksum is wrong", ".pt")
def pickle_with_a_wrong_checksum(path: Path) -> None:
    torch_file(path, table(("w", tensor())))
    path.write_bytes(path.read_bytes().replace(b"OrderedDict", b"orderedDict"))


@attack("entries must be stored as they are", ".pt")
def compressed_storage(path: Path) -> None:
    packed = entry("archive/data/1", b"\0" * 4000, deflated=True)
    torch_file(path, table(("w", tensor(held=storage(key="1", numel=1000)))), packed)


@attack("a TorchScript program", ".pt")
def torchscript(path: Path) -> None:
    torch_file(path, table(("w", tensor())), entry("archive/code/__torch__.py", b"import os\n"))


@attack("a bare pickle", ".pt")
def legacy_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + call("os.system", "touch canary") + b".")


@attack("a tar archive", ".pt")
def legacy_tar(path: Path) -> None:
    import tarfile

    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("storages"))
        tar.addfile(tarfile.TarInfo("../../evil"))


@attack("holds no state dict", ".pt")
def an_optimizer_alone(path: Path) -> None:
    state = b"}" + number(0) + table(("exp_avg", tensor())) + b"s"
    torch_file(path, b"}" + text("state") + state + b"s" + text("param_groups") + b"]s")


@attack("several state dicts", ".pt")
def two_state_dicts(path: Path) -> None:
    torch_file(path, b"}" + text("a") + table(("w", tensor())) + b"s" + text("b") + table(("w", tensor())) + b"s")


@attack("is no text", ".pt")
def a_note_that_is_none(path: Path) -> None:
    torch_file(path, table(("w", tensor())), entry("archive/numjaz.json", b"\xff\xfe"))


@attack("at most 1,048,576 are read", ".pt")
def a_note_of_megabytes(path: Path) -> None:
    torch_file(path, table(("w", tensor())), entry("archive/numjaz.json", b" " * (2 << 20)))
