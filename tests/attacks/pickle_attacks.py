"""Pickles in torch's container that name, call, nest or repeat what no state dict does."""

from __future__ import annotations

import struct
from pathlib import Path

from attack_table import Attacks, entering
from tensor_builders import call, named, number, table, tensor, text, torch_file

ATTACKS: Attacks = {}
attack = entering(ATTACKS)


for _full, _said in {
    "os.system": "names 'os.system'",
    "posix.system": "names 'posix.system'",
    "subprocess.Popen": "names 'subprocess.Popen'",
    "builtins.eval": "names 'builtins.eval'",
    "builtins.exec": "names 'builtins.exec'",
    "builtins.getattr": "names 'builtins.getattr'",
    "__builtin__.eval": "names '__builtin__.eval'",
    "copyreg._reconstructor": "names 'copyreg._reconstructor'",
    "numpy.load": "names 'numpy.load'",
    "numpy.core.multiarray._reconstruct": "names 'numpy.core",
    "torch.load": "names 'torch.load'",
    "torch.hub.load": "names 'torch.hub.load'",
    "__main__.Net": "names '__main__.Net'.* save the state dict alone",
    "torch.nn.modules.linear.Linear": "a whole model is not read.* save the state dict alone",
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor is not",
    "torch._utils._rebuild_qtensor": "a quantised tensor is not",
    "torch._utils._rebuild_meta_tensor_no_storage": "on the meta device",
    "torch.ComplexFloatStorage": "a storage of complex numbers is not",
    "torch.QInt8Storage": "a quantised tensor is not",
    "collections.OrderedDict.__init__": "names 'collections.OrderedDict.__init__'",
}.items():

    def _global(path: Path, full: str = _full) -> None:
        torch_file(path, table(("w", tensor())) + text("x") + call(full, f"touch {path.with_name('canary')}") + b"s")

    _global.__name__ = f"global_{_full}"
    attack(_said, ".pt")(_global)


@attack("names 'posix.system'", ".pt")
def stack_global_from_the_memo(path: Path) -> None:
    names = b"\x8c\x05posix\x94\x8c\x06system\x94h\0h\1\x93"
    torch_file(path, names + b"(" + text(f"touch {path.with_name('canary')}") + b"tR", protocol=4)


@attack("names 'torch.Size.__class__'", ".pt")
def stack_global_with_dots(path: Path) -> None:
    torch_file(path, b"\x8c\x05torch\x8c\x0eSize.__class__\x93", protocol=4)


@attack("a name that is no text", ".pt")
def stack_global_of_numbers(path: Path) -> None:
    torch_file(path, b"K\1K\2\x93", protocol=4)


@attack("opcode INST", ".pt")
def inst(path: Path) -> None:
    torch_file(path, b"(" + text(f"touch {path.with_name('canary')}") + b"ios\nsystem\n")


@attack("opcode OBJ", ".pt")
def obj(path: Path) -> None:
    torch_file(path, b"(" + named("torch.Size") + text("touch canary") + b"o")


@attack("opcode NEWOBJ", ".pt")
def newobj(path: Path) -> None:
    torch_file(path, named("torch.Size") + b")\x81")


@attack("opcode EXT1", ".pt")
def extension(path: Path) -> None:
    torch_file(path, b"\x82\1")


@attack("opcode PERSID", ".pt")
def reference_as_text(path: Path) -> None:
    torch_file(path, b"P../../etc/passwd\n")


@attack("which is no function here", ".pt")
def calls_a_dtype(path: Path) -> None:
    torch_file(path, named("torch.float32") + b")R")


@attack("calls what is no function", ".pt")
def calls_text(path: Path) -> None:
    torch_file(path, text("os.system") + b")R")


@attack("a state that is no dict|no dict stands", ".pt")
def state_for_a_name(path: Path) -> None:
    torch_file(path, named("torch.Size") + b"}" + text("__class__") + text("x") + b"sb")


@attack("at most 4,194,304 are read", ".pt")
def ten_million_puts(path: Path) -> None:
    torch_file(path, b"N" + b"".join(b"r" + struct.pack("<I", k) for k in range(1000)) * 10_000)


@attack("more than 500,000 opcodes", ".pt")
def a_million_puts(path: Path) -> None:
    torch_file(path, b"N" + b"q\0" * 10**6)


@attack("more than 500,000 opcodes", ".pt")
def the_most_memory_that_opcodes_take(path: Path) -> None:
    one = b"}" + b"h\0Ns"  # a dict with an item is Python's largest small thing
    torch_file(path, text("k") + b"q\0" + b"]" + one * 124_000 + b"\x88\x89" * 10_000)


@attack("a tuple is a key", ".pt")
def billion_laughs_as_a_key(path: Path) -> None:
    laughs = b")" + b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(200))
    torch_file(path, b"}" + laughs + b"Ns")


@attack("has a shape of", ".pt")
def billion_laughs_as_a_shape(path: Path) -> None:
    laughs = b")" + b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(200))
    torch_file(path, table(("w", tensor(shape=laughs))))


@attack("holds no state dict", ".pt")
def billion_laughs_of_lists(path: Path) -> None:
    laughs = b"]" + b"".join(b"q" + bytes([k]) + b"]h" + bytes([k]) + b"ah" + bytes([k]) + b"a" for k in range(28))
    torch_file(path, b"}" + text("x") + b"(" + laughs + b"ts")


@attack("cut short", ".pt")
def text_of_4_gb(path: Path) -> None:
    torch_file(path, b"X\xff\xff\xff\xffabc")


@attack("opcode BINUNICODE8", ".pt")
def text_of_an_exabyte(path: Path) -> None:
    torch_file(path, b"\x8d" + struct.pack("<Q", 2**60), protocol=4)


@attack("a frame at", ".pt")
def a_frame_of_an_exabyte(path: Path) -> None:
    torch_file(path, b"\x95" + struct.pack("<Q", 2**60), protocol=4)


@attack("opcode LONG ", ".pt")
def an_integer_of_a_million_digits(path: Path) -> None:
    torch_file(path, b"L" + b"9" * 10**6 + b"L\n")


@attack("opcode LONG4", ".pt")
def an_integer_of_a_megabyte(path: Path) -> None:
    torch_file(path, b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6)


@attack("stand behind the pickle's end", ".pt")
def opcodes_behind_the_end(path: Path) -> None:
    torch_file(path, table(("w", tensor())) + b"." + call("os.system", "touch canary"))


@attack("not a pickle of protocol 2 to 5", ".pt")
def protocol_99(path: Path) -> None:
    torch_file(path, table(("w", tensor())), protocol=99)


@attack("opcode 0x.* is none", ".pt")
def an_opcode_of_the_future(path: Path) -> None:
    torch_file(path, b"\xf0")


@attack("a value is missing", ".pt")
def an_empty_stack(path: Path) -> None:
    torch_file(path, b"a")


@attack("a mark is missing", ".pt")
def no_mark(path: Path) -> None:
    torch_file(path, b"]t")


@attack("nothing was kept", ".pt")
def a_memo_that_is_empty(path: Path) -> None:
    torch_file(path, b"j\xff\xff\xff\xff")


@attack("more or less than one value", ".pt")
def two_values(path: Path) -> None:
    torch_file(path, b"NN")


@attack("a list is a key", ".pt")
def a_key_that_cannot_be_one(path: Path) -> None:
    torch_file(path, b"}]Ns")


@attack("stands twice", ".pt")
def a_key_twice(path: Path) -> None:
    torch_file(path, table(("w", tensor()), ("w", tensor(offset=number(0)))))


@attack("more than 64 marks", ".pt")
def marks_nested_100_000_deep(path: Path) -> None:
    torch_file(path, b"(" * 100_000 + b"t" * 100_000)


@attack("nested too deep", ".pt")
def dicts_nested_100_000_deep(path: Path) -> None:
    torch_file(path, (b"}" + text("a")) * 100_000 + table(("w", tensor())) + b"s" * 100_000)


@attack("nested too deep", ".pt")
def nameless_dicts_nested_100_000_deep(path: Path) -> None:
    torch_file(path, text("") + b"q\0" + b"}h\0" * 99_000 + table(("w", tensor())) + b"s" * 99_000 + b"\x86")


@attack("nested too deep", ".pt")
def names_of_megabytes(path: Path) -> None:
    inner = b"}h\0" + table(("w", tensor())) + b"s"
    torch_file(path, text("k" * (2 << 20)) + b"q\0" + inner.replace(b"}h\0", b"}h\0", 1) + b"\x86")


@attack("holds no state dict", ".pt")
def a_list_that_holds_itself(path: Path) -> None:
    torch_file(path, b"]q\0h\0a")


@attack("holds no state dict", ".pt")
def a_dict_that_holds_itself(path: Path) -> None:
    torch_file(path, b"}q\0" + text("a") + b"h\0s")


@attack("more than 1,000 state dicts", ".pt")
def too_many_state_dicts(path: Path) -> None:
    one = table(("w", b"h\0"))
    torch_file(path, b"(" + tensor() + b"q\0" + one * 1001 + b"t")
