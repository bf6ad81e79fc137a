"""What real torch wrote, read to the bit or refused in one line, in whatever archive it lies."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensor_reading import FOLDERS, NEW, expected, needs_package, opened, read, same

from numjaz.errors import NumjazError, NumjazWarning
from numjaz.formats.tensor_files import open_tensors

FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.pt"))]
PLAIN = [path for path in FILES if path.stem not in ("checkpoint", "nested")]


@pytest.mark.filterwarnings("ignore:.*bfloat16")
@pytest.mark.parametrize("path", PLAIN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_state_dicts_that_torch_wrote(path: Path) -> None:
    same(read(path), expected(path))


def test_what_a_file_says_without_reading_arrays() -> None:
    with opened(NEW / "state_dict.pt") as tensors:
        assert (tensors.kind, tensors.note, tensors.path) == ("torch", None, str(NEW / "state_dict.pt"))
        assert list(tensors.shapes)[:3] == ["reduction.weight", "reduction.bias", "norm.weight"]
        assert tensors.shapes["reduction.weight"] == (4, 3, 3)
        assert tensors.dtypes["norm.num_batches_tracked"] == "int64"
        with pytest.raises(NumjazError, match="holds no tensor 'x'"):
            tensors.array("x")


def test_shared_storages_stay_shared() -> None:
    made = read(NEW / "tied.pt")
    assert np.shares_memory(made["embed.weight"], made["head.weight"])
    views = read(NEW / "views.pt")
    assert np.shares_memory(views["turned"], views["row"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_checkpoint_with_several_state_dicts(folder: Path) -> None:
    path = folder / "checkpoint.pt"
    with pytest.raises(NumjazError, match=r"'model_state_dict' of 10 tensors, 'ema.model' of 2 tensors; choose"):
        open_tensors(path)
    with pytest.raises(NumjazError, match="no state dict 'optimizer_state_dict'; there are"):
        open_tensors(path, key="optimizer_state_dict")
    same(read(path, "model_state_dict"), expected(path, "model_state_dict/"))
    same(read(path, "ema.model"), expected(path, "ema/model/"))


def test_the_one_state_dict_of_a_checkpoint_is_taken_aloud() -> None:
    with pytest.warns(NumjazWarning, match="took 'state_dict', the state dict in it"):
        same(read(NEW / "nested.pt"), expected(NEW / "nested.pt", "state_dict/"))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_bfloat16_is_said_once_a_file(suffix: str) -> None:
    needs_package(suffix[1:])
    with opened((NEW / "kinds").with_suffix(suffix)) as tensors:
        assert tensors.dtypes["bfloat16"] == "bfloat16"
        with pytest.warns(NumjazWarning) as warned:
            kinds = {tensors.array(name).dtype for name in ("bfloat16", "bfloat16_turned", "float32", "bfloat16")}
    assert kinds == {np.dtype(np.float32)}
    (said,) = [str(warning.message) for warning in warned]
    assert "2 of 12 tensors are bfloat16" in said


REFUSED = {
    "attributed": "a tensor with attributes of its own is not read",
    "complex": "a storage of complex numbers is not read",
    "expanded": "12 elements, its storage 3; an expanded one",
    "legacy": "as torch wrote before 1.6",
    "meta": "on the meta device, is not read",
    "model": "'torch.nn.modules.linear.Linear': a whole model is not read; save the state dict alone",
    "negated": "a conjugate or negated view",
    "nothing": "holds no state dict",
    "quantised": "a quantised tensor is not read",
    "script": "a TorchScript program",
    "sparse": "a sparse tensor is not read",
}


@pytest.mark.parametrize(
    "path",
    [path for folder in FOLDERS for path in sorted(folder.glob("refused/*"))],
    ids=lambda p: f"{p.parts[-3]}-{p.stem}",
)
def test_what_torch_wrote_and_is_refused(path: Path) -> None:
    with pytest.raises(NumjazError, match=REFUSED[path.stem]) as error:
        open_tensors(path)
    assert str(error.value).startswith(str(path))


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], **options: Any) -> io.BytesIO:
    """An archive again, each entry's content changed, or left out."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", **options) as new:
        for name in old.namelist():
            changed = change(name, old.read(name))
            if changed is not None:
                new.writestr(name, changed)
    return content


def test_a_machine_that_stores_the_most_significant_byte_first(tmp_path: Path) -> None:
    sizes = {f"state_dict/data/{k}": 8 if k == 6 else 4 for k in range(10)}  # the seventh is num_batches_tracked

    def swapped(name: str, content: bytes) -> bytes:
        if name in sizes:
            return np.frombuffer(content, f"u{sizes[name]}").byteswap().tobytes()
        return b"big" if name == "state_dict/byteorder" else content

    path = tmp_path / "big.pt"
    path.write_bytes(rewritten(NEW / "state_dict.pt", swapped).getvalue())
    made = read(path)
    assert made["norm.weight"].dtype == ">f4"
    assert made["norm.num_batches_tracked"].dtype == ">i8"
    same(made, expected(NEW / "state_dict.pt"))
    path.write_bytes(rewritten(NEW / "state_dict.pt", lambda n, c: None if n.endswith("byteorder") else c).getvalue())
    same(read(path), expected(NEW / "state_dict.pt"))  # as torch before 2.1 left it out


def test_an_archive_packed_again_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "again.pt"
    with zipfile.ZipFile(NEW / "state_dict.pt") as old, zipfile.ZipFile(path, "w") as new:
        new.mkdir("archive") if hasattr(new, "mkdir") else new.writestr("archive/", b"")
        for name in reversed(old.namelist()):
            new.writestr(f"archive/{name.partition('/')[2]}", old.read(name))
    same(read(path), expected(NEW / "state_dict.pt"))
    path.write_bytes(rewritten(path, lambda n, c: c, compression=zipfile.ZIP_DEFLATED).getvalue())
    with pytest.raises(NumjazError, match="entries must be stored as they are"):
        open_tensors(path)
