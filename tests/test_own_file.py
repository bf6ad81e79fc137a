"""numjaz's own file: what it keeps, how it appears, and what of it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import numjaz
from numjaz.doors.output import whole
from numjaz.formats.description import golden_error
from numjaz.layers import Conv1D, Dense, Input, layer_from_config
from numjaz.nodes import Node

OLD_VERSIONS = sorted(Path(__file__).parent.glob("fixtures/numjaz-format-*.h5"))


def small() -> numjaz.Model:
    contract = numjaz.Contract(
        features=("ax", "ay", "az"),
        rate_hz=20.0,
        window=32,
        hop=4,
        placement="wrist",
        mean=(0, 0, 9.0),
        std=(1, 2.0, 3),
    )
    model = numjaz.jazbat(3, ["walking", "jogging", "ÄÖ"], units=4, modules=1, reset_after=False, contract=contract)
    return model.derive(provenance={"data": "none", "seed": 0})


def test_everything_comes_back(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path / "m.h5")
    back = numjaz.load(tmp_path / "m.h5")
    assert back.nodes == model.nodes
    assert (back.outputs, back.classes, back.contract) == (model.outputs, model.classes, model.contract)
    assert dict(back.provenance) == dict(model.provenance)
    for name, array in model.parameters.items():
        assert back.parameters[name].dtype == array.dtype
        np.testing.assert_array_equal(back.parameters[name], array)
    assert back.golden is not None
    np.testing.assert_allclose(back.predict(back.golden.x), back.golden.y, atol=1e-14)
    assert back.golden.x.shape == (1, 32, 3)


@pytest.mark.parametrize("axes", [(2**18,), (2**16, 2**16), (4, 2**31, 2**31)])
def test_a_test_case_that_could_not_be_read_is_not_made(tmp_path: Path, axes: tuple[int, ...]) -> None:
    """2^32 numbers are none where NumPy's integers have 32 bits, and 2^64 where they have 64."""
    model = numjaz.Model([Node("x", Input(1, axes))], {})
    with pytest.raises(numjaz.NumjazError, match=r"one window takes .* bytes; at most 1,048,576 are read"):
        model.save(tmp_path / "m.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_keep_their_dtype(tmp_path: Path, dtype: type) -> None:
    model = small()
    model = model.replace({name: array.astype(dtype) for name, array in model.parameters.items()})
    model.save(tmp_path / "m.h5")
    assert {array.dtype for array in numjaz.load(tmp_path / "m.h5").parameters.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("path", OLD_VERSIONS, ids=lambda path: path.stem)
def test_every_version_ever_written_is_read(path: Path) -> None:
    model = numjaz.load(path)
    errors = golden_error(model)
    assert errors is not None
    assert max(errors.values()) <= 1e-12


def test_there_is_a_file_of_every_version() -> None:
    from numjaz.formats.own import VERSION

    assert [path.stem for path in OLD_VERSIONS] == [f"numjaz-format-{v + 1}" for v in range(VERSION)]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    small().save(path)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), whole(path) as beside:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.h5"]


def test_nowhere_to_write_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(numjaz.NumjazError, match="cannot be written"):
        small().save(tmp_path / "missing" / "m.h5")


def nested(depth: int) -> dict[str, object]:
    values: dict[str, object] = {}
    for _ in range(depth):
        values = {"a": values}
    return values


def edited(tmp_path: Path, edit: object) -> Path:
    path = tmp_path / "edited.h5"
    small().save(path)
    with h5py.File(path, "r+") as file:
        description = json.loads(file["description"][()].tobytes())
        edit(description)  # type: ignore[operator]
        del file["description"]
        file["description"] = np.frombuffer(json.dumps(description).encode(), dtype=np.uint8)
    return path


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d.pop("nodes"), "'nodes' must be a list"),
        (lambda d: d["nodes"][1]["layer"].update({"class": "Lambda"}), "unknown layer 'Lambda'"),
        (lambda d: d["nodes"][2]["layer"].update(clip=3), "unknown option 'clip'"),
        (lambda d: d["nodes"][2]["layer"].update(epsilon="small"), "epsilon"),
        (lambda d: d["nodes"][-1]["layer"].pop("units"), "option units is missing"),
        (lambda d: d["nodes"][-1]["layer"].update(units=10**9), "parameters/classes/kernel has shape"),
        (lambda d: d["nodes"][1].update(inputs=[["classes", 0]]), "does not stand before it"),
        (lambda d: d["nodes"][1].update(inputs="input"), "'inputs' must be a list"),
        (lambda d: d["nodes"][1].update(name="../../evil"), "cannot be named"),
        (lambda d: d.update(classes=["a"]), "3 different class names"),
        (lambda d: d.update(outputs=[]), "needs an input and an output"),
        (lambda d: d["contract"].update(rate_hz=-1), "rate_hz"),
        (lambda d: d["contract"].update(units=["g", "g", "g"]), "SI units"),
        (lambda d: d["contract"].update(window="256"), "window"),
        (lambda d: d["contract"].update(colour="red"), "unknown entry 'colour'"),
        (lambda d: d["contract"].update(std=[1, 0, 1]), "std"),
        (lambda d: d["contract"].update(mean=3), "mean"),
        (lambda d: d["contract"].update(units=5), "SI units"),
        (lambda d: d["contract"].update(rate_hz=10**400), "rate_hz"),
        (lambda d: d["contract"].update(rate_hz=1e-300), "rate_hz"),
        (lambda d: d["contract"].update(hop=10**30), "hop"),
        (lambda d: d["contract"].update(placement={"a": 1}), "placement"),
        (lambda d: d["contract"].update(placement="\x1b[2J"), "placement"),
        (lambda d: d["nodes"][1]["layer"].update({"class": []}), "unknown layer"),
        (lambda d: d.update(outputs=[{}]), "'outputs' must hold text"),
        (lambda d: d.update(classes=[1, 2, 3]), "'classes' must hold text"),
        (lambda d: d.update(classes=["a", "b", "\x1b[2J"]), "cannot be named"),
        (lambda d: d["nodes"][-1].update(name="\x1b[2J", owner="classes"), "cannot be named"),
        (lambda d: d.update(provenance=nested(900)), "nested too deep"),
        (lambda d: d["nodes"][1].update(layer=nested(900)), "nested too deep"),
        (lambda d: d.update(nodes=d["nodes"][:1] * 20_000), "at most 10,000|two nodes"),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, edit: object, said: str) -> None:
    path = edited(tmp_path, edit)
    with pytest.raises(numjaz.NumjazError, match=said) as error:
        numjaz.load(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_layers_survive_their_configuration() -> None:
    for node in numjaz.jazbat(reset_after=False).nodes:
        assert layer_from_config(json.loads(json.dumps(node.layer.config()))) == node.layer
    assert layer_from_config(Conv1D(3, 2, "causal").config()) == Conv1D(3, 2, "causal")
    with pytest.raises(numjaz.NumjazError):
        layer_from_config(
            {"class": "Bidirectional", "forward_layer": Dense(2).config(), "backward_layer": Dense(2).config()}
        )
    with pytest.raises(numjaz.NumjazError):
        layer_from_config([])


def test_a_replaced_array_takes_no_promise_along(tmp_path: Path) -> None:
    model = small().derive(provenance={"judged": {"accuracy": 1.0}, "data": "none"})
    model.save(tmp_path / "a.h5")
    changed = numjaz.load(tmp_path / "a.h5").replace({"classes/kernel": np.zeros((18, 3))})
    assert changed.golden is None
    assert dict(changed.provenance) == {"data": "none", "replaced": ["classes/kernel"]}
    changed.save(tmp_path / "b.h5")
    back = numjaz.load(tmp_path / "b.h5")
    assert back.golden is not None
    np.testing.assert_allclose(back.predict(back.golden.x), back.golden.y, atol=1e-14)


def test_names_that_begin_alike_are_kept_apart(tmp_path: Path) -> None:
    nodes = [
        numjaz.Node("input", numjaz.layers.Input(2)),
        numjaz.Node("m", Conv1D(3, 1), (("input", 0),)),
        numjaz.Node("m/c", Conv1D(2, 1), (("m", 0),)),
    ]
    rng = np.random.default_rng(0)
    shapes = {"m/kernel": (1, 2, 3), "m/bias": (3,), "m/c/kernel": (1, 3, 2), "m/c/bias": (2,)}
    model = numjaz.Model(nodes, {name: rng.standard_normal(shape) for name, shape in shapes.items()})
    assert [line.split()[-2] for line in model.summary().splitlines()[2:4]] == ["9", "8"]
    x = rng.standard_normal((1, 4, 2))
    p = model.parameters
    expected = (x @ p["m/kernel"][0] + p["m/bias"]) @ p["m/c/kernel"][0] + p["m/c/bias"]
    np.testing.assert_allclose(model.predict(x), expected)
    model.save(tmp_path / "m.h5")
    np.testing.assert_array_equal(numjaz.load(tmp_path / "m.h5").predict(x), model.predict(x))


def test_a_link_stays_a_link_and_a_device_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target.h5", tmp_path / "link.h5"
    small().save(target)
    link.symlink_to(target)
    small().replace({"classes/bias": np.ones(3)}).save(link)
    assert link.is_symlink()
    np.testing.assert_array_equal(numjaz.load(target).parameters["classes/bias"], np.ones(3))
    with pytest.raises(numjaz.NumjazError, match="not a regular file"):
        small().save(tmp_path, "numjaz")
