"""The one door for pickles: the opcodes that spell a table of tensors, and nothing else.

A pickle is a program that names functions and calls them. Here none is looked up and none is called: a
small machine follows the opcodes and keeps numbers, text, tuples, lists, dicts and three symbols. What
`torch.save` writes for a state dict, or for a checkpoint that holds some, needs no more; a name or an
opcode beyond that ends the reading where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from numjaz.doors.opcodes import Global, Machine, PickleError
from numjaz.doors.shapes import elements
from numjaz.errors import NumjazError

MAX_PICKLE = 4 << 20  # bytes
MAX_DEPTH = 32  # of dicts and lists around a state dict
MAX_PATH = 1024  # characters of a state dict's path
MAX_TABLES = 1000
STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.storage.UntypedStorage": "bytes",
}
SIZES = {
    "float64": 8, "int64": 8, "uint64": 8, "float32": 4, "int32": 4, "uint32": 4, "float16": 2, "bfloat16": 2,
    "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
DTYPES = {f"torch.{name}": name for name in SIZES}
WAY_OUT = "save the state dict alone: torch.save(model.state_dict(), path)"
REFUSED = {  # what a name contains -> what it is, and what to do
    "torch.nn.": ("a whole model", WAY_OUT),
    "_rebuild_from_type": ("a tensor with attributes of its own", "save tensor.detach()"),
    "_with_state": ("a tensor with attributes of its own", "save tensor.detach()"),
    "_rebuild_sparse_tensor": ("a sparse tensor", "save tensor.to_dense()"),
    "_rebuild_qtensor": ("a quantised tensor", "save tensor.dequantize()"),
    "torch.QInt": ("a quantised tensor", "save tensor.dequantize()"),
    "torch.QUInt": ("a quantised tensor", "save tensor.dequantize()"),
    "torch.Complex": ("a storage of complex numbers", "save tensor.real and tensor.imag"),
    "_rebuild_meta_tensor": ("a tensor without values, on the meta device,", "save the real one"),
    "_rebuild_nested_tensor": ("a nested tensor", "save its parts"),
}


class Storage(NamedTuple):
    """Numbers kept in an entry of their own."""

    dtype: str
    key: str
    numel: int


class Tensor(NamedTuple):
    """A view of a storage.

    Parameters
    ----------
    dtype : str
        ``"float32"``, ``"bfloat16"``, ….
    shape, stride : tuple of int
        In elements; never negative.
    storage : str
        The storage's key.
    offset : int
        The first element's place in the storage.
    numel : int
        How many elements of this dtype the storage is said to hold; none lies outside.
    """

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    storage: str
    offset: int
    numel: int


def tensor_tables(data: bytes, where: str) -> dict[str, dict[str, Tensor]]:
    """The state dicts of a pickle that ``torch.save`` wrote.

    Parameters
    ----------
    data : bytes
        The pickle, ``data.pkl`` of the archive.
    where : str
        The place that messages begin with.

    Returns
    -------
    dict
        Every dict with text keys that holds tensors, by its dotted path (``""`` is the root's,
        ``"ema.model"`` one inside another); what else it holds is left out. A dict reached by two
        paths is one object under both. Optimizers' states are left out.

    Raises
    ------
    NumjazError
        Where the pickle names anything else than tensors of plain numbers, or is damaged or absurd.
    """
    if len(data) > MAX_PICKLE:
        raise NumjazError(f"{where}: {len(data):,} bytes; at most {MAX_PICKLE:,} are read; {WAY_OUT}")
    tables: dict[str, dict[str, Tensor]] = {}
    try:
        root = Machine(data, _check, CALLS, _storage).run()
        if type(root) in (dict, list, tuple):
            _collect(root, "", 0, tables, {})
    except PickleError as wrong:
        raise NumjazError(f"{where}: {wrong}") from None
    return tables


def _check(name: str) -> None:
    if name not in NAMES:
        what, instead = next((known for part, known in REFUSED.items() if part in name), ("a Python object", WAY_OUT))
        raise PickleError(f"names {name!r:.120}: {what} is not read; {instead}")


def _storage(held: Any) -> Storage:
    if type(held) is not tuple or len(held) != 5 or held[0] != "storage":
        raise PickleError("a reference that is no storage")
    _, kind, key, location, numel = held
    if type(kind) is not Global or kind.name not in STORAGES or not type(key) is type(location) is str:
        raise PickleError("a storage without its type, key or place")
    if elements((numel,)) is None:
        raise PickleError(f"storage {key!r:.60} declares {_short(numel)} elements")
    return Storage(STORAGES[kind.name], key, numel)


def _tensor(arguments: tuple[Any, ...]) -> Tensor:
    """``(storage, offset, shape, stride, requires_grad, hooks)``, and what else is to be done with the numbers."""
    if not 6 <= len(arguments) <= 7:
        raise PickleError(f"a tensor of {len(arguments)} parts")
    return _view(arguments[0], "", arguments[1:6], arguments[6] if len(arguments) == 7 else {})


def _tensor_v3(arguments: tuple[Any, ...]) -> Tensor:
    """The same with its dtype, which the storage does not know, behind the hooks."""
    if not 7 <= len(arguments) <= 8:
        raise PickleError(f"a tensor of {len(arguments)} parts")
    dtype = arguments[6]
    if type(dtype) is not Global or dtype.name not in DTYPES:
        raise PickleError("a tensor without a dtype of plain numbers")
    return _view(arguments[0], DTYPES[dtype.name], arguments[1:6], arguments[7] if len(arguments) == 8 else {})


def _view(storage: Any, dtype: str, parts: tuple[Any, ...], metadata: Any) -> Tensor:
    offset, shape, stride, _, hooks = parts
    if type(storage) is not Storage or (storage.dtype == "bytes") != bool(dtype):
        raise PickleError("a tensor without a storage of plain numbers")
    numel = storage.numel // SIZES[dtype] if dtype else storage.numel
    where = f"a tensor of storage {storage.key!r:.60}"
    if hooks != {} or metadata != {}:
        raise PickleError(
            f"{where} carries hooks, or is a conjugate or negated view; save tensor.resolve_conj().resolve_neg()"
        )
    count = elements(shape) if type(shape) is tuple else None
    if count is None:
        raise PickleError(f"{where} has a shape of {_short(shape)}, which no array has")
    if type(offset) is not int or offset < 0:
        raise PickleError(f"{where} begins at {_short(offset)}")
    if type(stride) is not tuple or len(stride) != len(shape) or not all(type(n) is int and n >= 0 for n in stride):
        raise PickleError(f"{where} has strides of {_short(stride)} for a shape of {_short(shape)}")
    if count > numel:
        raise PickleError(
            f"{where} has {count:,} elements, its storage {numel:,}; an expanded one: save tensor.contiguous()"
        )
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True)) if count else -1
    if last >= numel:
        raise PickleError(f"{where} reaches to element {_short(last)}; the storage has {numel:,}")
    return Tensor(dtype or storage.dtype, shape, stride, storage.key, offset, numel)


def _parameter(arguments: tuple[Any, ...]) -> Tensor:
    if len(arguments) != 3 or type(arguments[0]) is not Tensor or arguments[2] != {}:
        raise PickleError("a parameter that is more than a tensor")
    return arguments[0]


def _empty(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise PickleError("an OrderedDict that is not filled item by item")
    return {}


def _counter(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if len(arguments) != 1 or type(arguments[0]) is not dict:
        raise PickleError("a Counter of what is no dict")
    return arguments[0]


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or type(arguments[0]) is not tuple:
        raise PickleError("a torch.Size of what is no tuple")
    return arguments[0]


CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _empty,
    "collections.Counter": _counter,  # in the state of MultiStepLR
    "torch.Size": _size,
    "torch.device": lambda arguments: Global("torch.device"),
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
}
NAMES = {*CALLS, *STORAGES, *DTYPES}


def _collect(value: Any, path: str, depth: int, tables: dict[str, dict[str, Tensor]], seen: dict[int, Any]) -> None:
    """Put every state dict at and below ``value`` into ``tables``; each container is entered once."""
    if depth > MAX_DEPTH or len(path) > MAX_PATH:
        raise PickleError(f"nested too deep, more than {MAX_DEPTH} levels or {MAX_PATH:,} characters of names")
    entered = id(value) in seen
    table = seen.setdefault(id(value), {} if entered else _table(value))
    if table:
        if path in tables:
            raise PickleError(f"two state dicts stand under the path {path!r:.80}")
        if len(tables) == MAX_TABLES:
            raise PickleError(f"more than {MAX_TABLES:,} state dicts")
        tables[path] = table
    for key, inner in () if entered else _containers(value):
        name = str(key)[: MAX_PATH + 1]
        _collect(inner, f"{path}.{name}" if path else name, depth + 1, tables, seen)


def _table(value: Any) -> dict[str, Tensor]:
    if type(value) is not dict or not all(type(key) is str for key in value):
        return {}
    return {key: held for key, held in value.items() if type(held) is Tensor}


def _containers(value: Any) -> Iterator[tuple[Any, Any]]:
    if type(value) is dict and {"state", "param_groups"} <= value.keys():  # an optimizer's
        return
    for key, inner in value.items() if type(value) is dict else enumerate(value):
        if type(inner) in (dict, list, tuple):
            yield key, inner


def _short(value: Any) -> str:
    """A value for a message: numbers and flat tuples of them; nothing that could hold more than it shows."""
    if type(value) is tuple and len(value) <= 8:
        return f"({', '.join(_short(n) if type(n) is not tuple else '…' for n in value)})"
    if type(value) is int:
        return f"{value:,}" if abs(value) < 10**30 else f"about 2^{value.bit_length()}"
    return f"a {type(value).__name__}"
