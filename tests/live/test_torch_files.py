"""Live against the installed torch, safetensors and NumPy: what each wrote, the other reads, bit for bit."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numjaz.errors import NumjazError
from numjaz.formats.npz_file import write_npz
from numjaz.formats.safetensors_file import write_safetensors
from numjaz.formats.tensor_files import open_tensors
from numjaz.formats.torch_file import write_torch

torch = pytest.importorskip("torch")

OLD = torch.__version__.startswith("1.")
KINDS = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int16, torch.int32, torch.int64]
KINDS += [torch.uint8, torch.bool]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ARRAYS = {
    "conv.weight": np.random.default_rng(0).standard_normal((5, 3, 3)).astype(np.float32),
    "half": np.random.default_rng(1).standard_normal((2, 7)).astype(np.float16),
    "odd values": np.array([np.inf, -np.inf, np.nan, -0.0, 5e-324]),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.array([1.5, -0.0], ">f4"),
    "scalar": np.array(2.5, np.float32),
    "nothing": np.zeros((3, 0, 2), np.float32),
    "größe": np.ones(1),
}


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.name, array.shape, array.astype(array.dtype.newbyteorder("<")).tobytes()


def numbers(tensor: object) -> np.ndarray:
    tensor = tensor.detach()  # type: ignore[attr-defined]
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def read(path: Path, key: str | None = None) -> dict[str, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_tensors(path, key) as tensors:  # type: ignore[union-attr]
            return {name: tensors.array(name) for name in tensors.shapes}


def same(made: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert {name: bits(array) for name, array in made.items()} == {name: bits(a) for name, a in expected.items()}


def test_torch_reads_what_numjaz_writes(tmp_path: Path) -> None:
    write_torch(tmp_path / "m.pt", ARRAYS, "a note")
    for options in ({}, {} if OLD else {"mmap": True}, {} if OLD else {"weights_only": False}):
        made = torch.load(tmp_path / "m.pt", **options)
        assert type(made) is OrderedDict
        assert list(made) == list(ARRAYS)
        assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in made.values())
        same({name: tensor.numpy() for name, tensor in made.items()}, ARRAYS)


def test_a_module_takes_what_numjaz_writes(tmp_path: Path) -> None:
    module, other = (torch.nn.Sequential(torch.nn.Conv1d(3, 4, 3), torch.nn.BatchNorm1d(4)) for _ in range(2))
    floats = {name: numbers(t) for name, t in module.state_dict().items() if t.is_floating_point()}
    write_torch(tmp_path / "m.pt", floats, "")
    kept = other.load_state_dict(torch.load(tmp_path / "m.pt"), strict=False)
    assert kept.missing_keys in ([], ["1.num_batches_tracked"])
    x = torch.randn(2, 3, 9)
    assert torch.equal(module(x), other(x))


def test_safetensors_reads_what_numjaz_writes(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors")
    from safetensors.numpy import load_file
    from safetensors.torch import load_file as load_torch

    path = tmp_path / "m.safetensors"
    write_safetensors(path, ARRAYS, 'a "note"')
    same(load_file(path), ARRAYS)
    same({name: tensor.numpy() for name, tensor in load_torch(path).items()}, ARRAYS)
    with package.safe_open(path, framework="np") as opened:
        assert opened.metadata() == {"format": "pt", "numjaz": 'a "note"'}


def test_numpy_reads_what_numjaz_writes(tmp_path: Path) -> None:
    write_npz(tmp_path / "m.npz", {f"a/{name}": array for name, array in ARRAYS.items()}, "a note")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as held:
        assert bytes(held["numjaz"]) == b"a note"
        same({name[2:]: held[name] for name in held.files if name != "numjaz"}, ARRAYS)


@st.composite
def views(draw: st.DrawFn) -> object:
    """A tensor that is some view of some storage: cut, turned, stepped over, or empty."""
    shape = draw(st.lists(st.integers(0, 5), max_size=4))
    raw = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 256, (max(math.prod(shape), 1), 8), np.uint8)
    kind = draw(st.sampled_from(KINDS))
    whole = torch.from_numpy(raw)
    whole = (whole > 99 if kind == torch.bool else whole.view(kind))[: math.prod(shape), 0]
    tensor = whole.reshape(shape)
    for axis, size in enumerate(tensor.shape):
        start, step = draw(st.integers(0, size)), draw(st.integers(1, 3))
        tensor = tensor[(slice(None),) * axis + (slice(start, None, step),)]
    tensor = tensor.permute(draw(st.permutations(range(tensor.ndim))))
    return draw(st.sampled_from([tensor, tensor.contiguous(), torch.nn.Parameter(tensor, requires_grad=False)]))


@given(values=st.dictionaries(NAMES, views(), min_size=1, max_size=5), protocol=st.sampled_from([2, 3, 4, 5]))
def test_state_dicts_of_any_views(tmp_path_factory: pytest.TempPathFactory, values: dict, protocol: int) -> None:
    path = tmp_path_factory.mktemp("m") / "m.pt"
    torch.save(values, path, pickle_protocol=protocol)
    same(read(path), {name: numbers(tensor) for name, tensor in values.items()})
    torch.save({"epoch": 3, "best": {"model": OrderedDict(values)}}, path)
    same(read(path, "best.model"), {name: numbers(tensor) for name, tensor in values.items()})


@given(values=st.dictionaries(NAMES, views(), min_size=1, max_size=5))
def test_safetensors_of_any_tensors(tmp_path_factory: pytest.TempPathFactory, values: dict) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    values = {name: tensor.contiguous().clone() for name, tensor in values.items() if name != "__metadata__"}
    path = tmp_path_factory.mktemp("m") / "m.safetensors"
    save_file(values, path)
    same(read(path), {name: numbers(tensor) for name, tensor in values.items()})


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "LBFGS", "NAdam", "Rprop"])
def test_checkpoints_with_any_optimizer(tmp_path: Path, name: str) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = getattr(torch.optim, name)(module.parameters(), lr=0.1)

    def loss() -> object:
        optimizer.zero_grad()
        made = module(torch.ones(4, 3)).square().sum()
        made.backward()
        return made

    optimizer.step(loss)
    held = {"epoch": 1, "model": module.state_dict(), "optimizer": optimizer.state_dict(), "loss": loss().item()}
    for k, make in enumerate(
        (lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2]), lambda o: torch.optim.lr_scheduler.StepLR(o, 1))
    ):
        torch.save(held | {"scheduler": make(optimizer).state_dict()}, tmp_path / f"{k}.pt")
        same(read(tmp_path / f"{k}.pt"), {n: numbers(t) for n, t in module.state_dict().items()})


@pytest.mark.parametrize("make", [torch.nn.GRU, torch.nn.LSTM, torch.nn.RNN])
def test_recurrent_layers_whose_weights_share_one_storage(tmp_path: Path, make: type) -> None:
    module = make(3, 4, num_layers=2, bidirectional=True).double()
    module.flatten_parameters()
    torch.save(module.state_dict(), tmp_path / "m.pt")
    same(read(tmp_path / "m.pt"), {name: numbers(t) for name, t in module.state_dict().items()})


@pytest.mark.parametrize(
    "value", [torch.nn.Linear(2, 2), {"w": torch.eye(2).to_sparse()}, {"w": {1, 2}}, {"w": b"bytes"}]
)
def test_what_is_more_than_tensors_is_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "m.pt")
    with pytest.raises(NumjazError, match=r"is not read; save"):
        open_tensors(tmp_path / "m.pt")
