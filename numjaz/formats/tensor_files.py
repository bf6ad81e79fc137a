"""Files that hold a table of tensors and nothing about the network: PyTorch's, ``.safetensors``, ``.npz``."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from numpy.typing import NDArray

from numjaz.doors.npz import SUFFIX
from numjaz.doors.regular import open_regular
from numjaz.doors.zip import LOCAL, Zip
from numjaz.errors import NumjazError

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = "read it in torch and save it again: torch.save(torch.load(path, weights_only=True), path)"


class Tensors(Protocol):
    """An opened table of tensors; a context manager."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def kind(self) -> str:
        """``"torch"``, ``"safetensors"`` or ``"npz"``."""

    @property
    def note(self) -> str | None:
        """The text that numjaz's writers put beside the tensors; None in files of others."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Each tensor's shape, in the file's order."""

    @property
    def dtypes(self) -> Mapping[str, str]:
        """Each tensor's dtype: ``"float32"``, ``"bfloat16"``, ``"int64"``, …."""

    def array(self, name: str) -> NDArray[Any]:
        """A tensor, read-only; bfloat16 as float32, anything else in the dtype and byte order of the file."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_tensors(path: str | Path, key: str | None = None) -> Tensors | None:
    """Open a table of tensors; what the file is, is told from its content.

    Parameters
    ----------
    path : path
        A file.
    key : str, optional
        Which state dict of a checkpoint of torch's, by its dotted path: ``"model_state_dict"``; ``""``
        is the checkpoint itself. Without it exactly one must be there.

    Returns
    -------
    Tensors or None
        None where the file is neither PyTorch's nor ``.safetensors`` nor ``.npz``.

    Raises
    ------
    NumjazError
        Where it is one of them and damaged, hostile or of a form that is not read.

    Warns
    -----
    NumjazWarning
        Where a state dict inside a checkpoint is taken; later, where bfloat16 becomes float32.
    """
    path = str(path)
    with open_regular(path) as file:
        start = file.read(512)
    opened = _opened(path, start, key)
    if key is not None and opened is not None and opened.kind != "torch":
        with opened:
            raise NumjazError(f"{path}: key= chooses between state dicts of a torch checkpoint; this is {opened.kind}")
    return opened


def _opened(path: str, start: bytes, key: str | None) -> Tensors | None:
    if start[:4] == LOCAL:
        with Zip(path, deflated=True) as archive:
            names = archive.names
        if names and all(name.endswith(SUFFIX) for name in names):
            from numjaz.formats.npz_file import NpzFile

            return NpzFile(path)

        from numjaz.formats.torch_file import TorchFile, is_script, prefix_of

        prefix = prefix_of(names)
        if prefix is not None:
            if is_script(names, prefix):
                raise NumjazError(
                    f"{path}: a TorchScript program, which is not read; save its weights: "
                    f"torch.save(torch.jit.load(path).state_dict(), other_path)"
                )
            return TorchFile(path, key)
        return None
    if start[8:9] == b"{":
        from numjaz.formats.safetensors_file import SafetensorsFile

        return SafetensorsFile(path)
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        raise NumjazError(f"{path}: a bare pickle, as torch wrote before 1.6, which is not read; {AGAIN}")
    if start[257:262] == b"ustar":
        raise NumjazError(f"{path}: a tar archive, as the first versions of torch wrote, which is not read; {AGAIN}")
    return None
