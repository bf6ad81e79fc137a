"""Keras files whose configuration is hostile: the weights are sound, the text beside them is not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

(SOURCE,) = (Path(__file__).parent.parent / "fixtures").glob("keras-3*/plain.keras")

Change = Callable[[dict[str, Any], dict[str, dict[str, Any]]], Any]


def edited(path: Path, change: Change) -> None:
    """A ``.keras`` archive with a changed configuration: ``change`` gets it, and its layers by name."""
    with zipfile.ZipFile(SOURCE) as held:
        config = json.loads(held.read("config.json"))
        layers = {layer["name"]: layer for layer in config["config"]["layers"]}
        change(config, layers)
        written(path, json.dumps(config).encode(), held.read("model.weights.h5"))


def written(path: Path, config: bytes, weights: bytes | None = None) -> None:
    """A ``.keras`` archive of this text."""
    if weights is None:
        with zipfile.ZipFile(SOURCE) as held:
            weights = held.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("config.json", config)
        new.writestr("model.weights.h5", weights)


def text(content: bytes) -> Callable[[Path], None]:
    return lambda path: written(path, content)


def change(edit: Change) -> Callable[[Path], None]:
    return lambda path: edited(path, edit)


def option(layer: str, **values: Any) -> Callable[[Path], None]:
    return change(lambda config, layers: layers[layer]["config"].update(values))


def whole(**values: Any) -> Callable[[Path], None]:
    return change(lambda config, layers: config.update(values))


def inside(**values: Any) -> Callable[[Path], None]:
    return change(lambda config, layers: config["config"].update(values))


def doll(path: Path) -> None:
    """Models in models, as deep as JSON may be."""

    def nest(config: dict[str, Any], layers: dict[str, dict[str, Any]]) -> None:
        inner: dict[str, Any] = dict(layers["classes"])
        for k in range(30):
            inner = {"class_name": "Sequential", "config": {"name": f"m{k}", "layers": [inner]}, "name": f"m{k}"}
        layers["classes"].update(inner)

    edited(path, nest)


def doubled(path: Path) -> None:
    """Each model calls the one within three times: 3^11 nodes from a few kilobytes."""

    def double(config: dict[str, Any], layers: dict[str, dict[str, Any]]) -> None:
        made: Any = {"class_name": "Activation", "config": {"name": "a", "activation": "relu"}, "name": "a"}
        for k in range(11):
            first = {"class_name": "InputLayer", "config": {"name": f"i{k}", "batch_shape": [None, 5]}, "name": f"i{k}"}
            name = made["config"]["name"]
            made = {**made, "inbound_nodes": [[[f"i{k}", 0, 0, {}]], [[name, 0, 0, {}]], [[name, 1, 0, {}]]]}
            made = {
                "class_name": "Functional",
                "config": {
                    "name": f"m{k}",
                    "layers": [{**first, "inbound_nodes": []}, made],
                    "input_layers": [[f"i{k}", 0, 0]],
                    "output_layers": [[name, 2, 0]],
                },
                "name": f"m{k}",
            }
        made["inbound_nodes"] = layers["classes"]["inbound_nodes"]
        config["config"]["layers"] = [layer for layer in config["config"]["layers"] if layer["name"] != "classes"]
        config["config"]["layers"].append(made)
        config["config"]["output_layers"] = [["m10", 0, 0]]

    edited(path, double)


def of_hdf5(path: Path) -> None:
    """100 MB of configuration in an attribute, dense storage."""
    with h5py.File(path, "w", libver="latest") as file:
        file.create_group("model_weights")
        file.attrs["model_config"] = np.bytes_(b"[" * (17 << 20))


CONFIG_ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "depth of 100,000": (text(b"[" * 100_000 + b"]" * 100_000), "nested too deep|not readable as JSON"),
    "not a number": (option("norm", epsilon=float("nan")), "NaN is not JSON"),
    "infinity": (option("norm", epsilon=float("inf")), "Infinity is not JSON"),
    "a number of 5,000 digits": (text(b'{"class_name": ' + b"9" * 5000 + b"}"), "not readable as JSON"),
    "a number of 10^6 digits": (text(b'{"class_name": ' + b"9" * 10**6 + b"}"), "not readable as JSON"),
    "a key twice": (text(b'{"class_name": "Sequential", "class_name": "Functional", "config": {}}'), "stands twice"),
    "no text": (text(b""), "not readable as JSON"),
    "half a text": (text(b'{"class_name": "Sequential", "config": {"layers": [{"cla'), "not readable as JSON"),
    "not UTF-8": (text(b'{"class_name": "\xff\xfe"}'), "not readable as JSON"),
    "a list": (text(b"[]"), "not an object"),
    "17 MB of text": (text(b" " * (17 << 20) + b"{}"), "at most 16,777,216 are read|holds 17"),
    "10^12 units": (option("classes", units=10**12), "units must be a whole number"),
    "10^9 filters": (option("reduction", filters=10**9), r"has shape|needs"),
    "a kernel of 2^31": (option("reduction", kernel_size=[2**31]), "has shape|needs"),
    "a kernel of 2^63": (option("reduction", kernel_size=[2**63]), "kernel_size must be"),
    "units below zero": (option("classes", units=-1), "units must be"),
    "units as text": (option("classes", units="32"), "units must be"),
    "units as a float": (option("classes", units=5.0), "units must be"),
    "units that are true": (option("classes", units=True), "units must be"),
    "dilation 0": (option("reduction", dilation_rate=[0]), "dilation must be"),
    "a shape of 10^12": (option("input", batch_shape=[None, None, 10**12]), "features must be"),
    "an input without a shape": (option("input", batch_shape=None), "numjaz takes"),
    "all of it unknown": (option("input", batch_shape=[None, None, None]), "numjaz takes"),
    "an activation of somebody's": (option("reduction", activation="os.system"), "activation must be one of"),
    "an option that changes the result": (option("reduction", clip=1), "clip=1 is not honoured"),
    "stateful": (
        change(lambda c, layers: layers["bigru"]["config"]["layer"]["config"].update(stateful=True)),
        "stateful=True is not honoured",
    ),
    "a Lambda": (
        change(
            lambda c, layers: layers["pool"].update(
                class_name="Lambda", config={"name": "pool", "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}}
            )
        ),
        "'Lambda', which numjaz does not know",
    ),
    "a class of os": (change(lambda c, layers: layers["pool"].update(module="os", class_name="system")), "'system'"),
    "Keras's name, os's module": (change(lambda c, layers: layers["pool"].update(module="os")), "not Keras's own"),
    "a registered class": (
        change(lambda c, layers: layers["pool"].update(registered_name="pkg>GlobalAveragePooling1D")),
        "not Keras's own",
    ),
    "a layer wired to itself": (
        change(lambda c, layers: layers["norm"].update(inbound_nodes=[[[ "norm", 0, 0, {}]]])),
        "from itself",
    ),
    "a circle": (
        change(lambda c, layers: layers["norm"].update(inbound_nodes=layers["module2"]["inbound_nodes"])),
        "from itself",
    ),
    "wired to nobody": (
        change(lambda c, layers: layers["norm"].update(inbound_nodes=[[["nobody", 0, 0, {}]]])),
        "not among the model's layers",
    ),
    "wired to a constant": (
        change(lambda c, layers: layers["norm"].update(inbound_nodes=[[["_CONSTANT_VALUE", -1, 3.0, {}]]])),
        "is not read|not among",
    ),
    "output 10^9 of a layer": (
        change(lambda c, layers: layers["norm"].update(inbound_nodes=[[["bigru", 0, 10**9, {}]]])),
        "is not read",
    ),
    "output 1 of a layer with one": (
        change(lambda c, layers: layers["norm"].update(inbound_nodes=[[["bigru", 0, 1, {}]]])),
        "takes output 1 of 'bigru', which has 1",
    ),
    "outside of the archive": (
        change(lambda c, layers: (layers["pool"]["config"].update(name="../../evil"), layers["pool"].update(name="../../evil"))),
        "cannot be named|not among",
    ),
    "a name that steers a terminal": (
        change(lambda c, layers: (layers["pool"]["config"].update(name="\x1b[2J"), layers["pool"].update(name="\x1b[2J"))),
        "cannot be named|not among",
    ),
    "two layers of one name": (
        change(lambda c, layers: c["config"]["layers"].append(layers["pool"])),
        "have one name",
    ),
    "no layers": (inside(layers=[]), "not as Keras writes it"),
    "layers that are numbers": (inside(layers=[1, 2]), "not as Keras writes it"),
    "no outputs": (inside(output_layers=[]), "needs an input and an output"),
    "outputs that are not there": (inside(output_layers=[["x", 0, 0]]), "not as Keras writes it"),
    "a class of nobody": (whole(class_name="__main__.Model"), "carries no list of layers"),
    "models in models": (doll, "nested too deep|models in models|not as Keras|lacks|has shape|holds"),
    "a model doubled and doubled": (doubled, "nodes; at most"),
    "100,000 layers": (inside(layers=[{"class_name": "Activation", "config": {"name": f"a{k}", "activation": "relu"},
                                      "inbound_nodes": []} for k in range(100_000)]), "over 250,000 values"),
    "a million lists": (text(b"[" + b"[]," * 10**6 + b"[]]"), "over 250,000 values"),
    "an attribute of 17 MB": (of_hdf5, "is not read|at most|damaged"),
}  # fmt: skip
"""Name -> (how it is made, what is said)."""
