"""Jazbat-Net typed in torch with whatever names people give: its state dict must find its way, and say how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import numjaz

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore::numjaz.NumjazWarning")
OPTIONS = {"features": 3, "classes": 4, "reduction": 6, "units": 8, "modules": 3, "width": 16, "narrow": 5}
WIDTH, NARROW = 16, 5


def conv(inside: int, outside: int, kernel: int) -> nn.Module:
    return nn.Conv1d(inside, outside, kernel, padding="same")


class Nested(nn.Module):
    """Branches as modules of their own, in the order of the paper."""

    order = (5, 3)

    def __init__(self, inside: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(conv(inside, NARROW, 1), nn.ReLU(), conv(NARROW, NARROW, k), nn.ReLU()) for k in self.order
        )
        self.merge, self.shortcut = conv(NARROW, WIDTH, 1), conv(inside, WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = sum(branch(x) for branch in self.branches)
        return torch.relu(self.merge(total)) + torch.relu(self.shortcut(x))


class Reversed(Nested):
    """The three-tap branch is defined first."""

    order = (3, 5)


class Flat(nn.Module):
    """All in one module, each reduction before its convolution, the shortcut first."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        self.skip = conv(inside, WIDTH, 1)
        self.a1, self.a2 = conv(inside, NARROW, 1), conv(NARROW, NARROW, 3)
        self.b1, self.b2 = conv(inside, NARROW, 1), conv(NARROW, NARROW, 5)
        self.expand = conv(NARROW, WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.relu(self.a2(torch.relu(self.a1(x))))
        b = torch.relu(self.b2(torch.relu(self.b1(x))))
        return torch.relu(self.expand(a + b)) + torch.relu(self.skip(x))


class Grouped(nn.Module):
    """Both reductions first, then both convolutions, in the other order of branches."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        self.reduce3, self.reduce5 = conv(inside, NARROW, 1), conv(inside, NARROW, 1)
        self.conv3, self.conv5 = conv(NARROW, NARROW, 3), conv(NARROW, NARROW, 5)
        self.out, self.res = conv(NARROW, WIDTH, 1), conv(inside, WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        three = torch.relu(self.conv3(torch.relu(self.reduce3(x))))
        five = torch.relu(self.conv5(torch.relu(self.reduce5(x))))
        return torch.relu(self.out(three + five)) + torch.relu(self.res(x))


class Net(nn.Module):
    def __init__(self, block: Callable[[int], nn.Module], listed: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 8, batch_first=True, bidirectional=True)
        self.bn = nn.BatchNorm1d(16)
        blocks = [block(16) for _ in range(3)]
        if listed:
            self.blocks = nn.ModuleList(blocks)
        else:
            self.m1, self.m2, self.m3 = blocks
        self.listed = listed
        self.reduction = conv(WIDTH, 6, 1)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.rnn(x)[0].transpose(1, 2))
        for block in self.blocks if self.listed else (self.m1, self.m2, self.m3):
            x = block(x)
        return torch.softmax(self.fc(torch.relu(self.reduction(x)).mean(-1)), -1)


def made(block: Callable[[int], nn.Module], listed: bool = True) -> nn.Module:
    torch.manual_seed(0)
    net = Net(block, listed).double().eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(0, 0.3).abs_().add_(0.2) if "var" in name else tensor.normal_(0, 0.3)
    return net


def agree(model: numjaz.Model, net: nn.Module) -> None:
    x = np.random.default_rng(1).standard_normal((3, 20, 3))
    with torch.no_grad():
        expected = net(torch.tensor(x)).numpy()
    np.testing.assert_allclose(model.predict(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("block", [Nested, Reversed, Flat, Grouped])
@pytest.mark.parametrize("container", ["pt", "safetensors"])
def test_any_sensible_naming(block: Callable[[int], nn.Module], listed: bool, container: str, tmp_path: Path) -> None:
    net, path = made(block, listed), tmp_path / f"m.{container}"
    if container == "pt":
        torch.save(net.state_dict(), path)
    else:
        pytest.importorskip("safetensors.torch").save_file(net.state_dict(), path)
    with pytest.warns(numjaz.NumjazWarning, match=r"matched bigru = rnn, norm = bn, module1_branch5_reduce = "):
        model = numjaz.load(path, architecture="jazbat", epsilon=1e-5, **OPTIONS)
    agree(model, net)


def test_checkpoints_and_prefixes(tmp_path: Path) -> None:
    net = made(Flat)
    state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    optimiser = torch.optim.Adam(net.parameters())
    torch.save({"epoch": 3, "model_state_dict": state, "optimizer": optimiser.state_dict()}, tmp_path / "c.pt")
    agree(numjaz.load(tmp_path / "c.pt", architecture="jazbat", epsilon=1e-5, **OPTIONS), net)
    torch.save({"model": state, "ema": made(Nested).state_dict()}, tmp_path / "two.pt")
    with pytest.raises(numjaz.NumjazError, match=r"'model' of 53.*'ema' of 53.*key="):
        numjaz.load(tmp_path / "two.pt", architecture="jazbat", epsilon=1e-5, **OPTIONS)
    agree(numjaz.load(tmp_path / "two.pt", architecture="jazbat", key="model", epsilon=1e-5, **OPTIONS), net)


def test_names_settle_what_the_user_knows_better(tmp_path: Path) -> None:
    net = made(Flat)
    torch.save(net.state_dict(), tmp_path / "m.pt")
    names = {"module1_branch5_reduce": "blocks.0.a1", "module1_branch3_reduce": "blocks.0.b1"}
    options = {"architecture": "jazbat", "epsilon": 1e-5, **OPTIONS}
    model = numjaz.load(tmp_path / "m.pt", names=names, **options)
    np.testing.assert_array_equal(
        model.parameters["module1_branch5_reduce/kernel"], net.blocks[0].a1.weight.detach().numpy().transpose(2, 1, 0)
    )
    for wrong, said in (
        ({"nobody": "rnn"}, "names= speaks of 'nobody'; the network has bigru"),
        ({"bigru": "nobody"}, "names= speaks of 'nobody'; the file has rnn"),
        ({"bigru": "bn"}, "'bn' has .*'bigru' needs"),
    ):
        with pytest.raises(numjaz.NumjazError, match=said):
            numjaz.load(tmp_path / "m.pt", names=wrong, **options)


def test_a_mismatch_lists_the_candidates(tmp_path: Path) -> None:
    torch.save(made(Flat).state_dict(), tmp_path / "m.pt")
    with pytest.raises(numjaz.NumjazError, match=r"classes needs .*weight \(5, 6\).*nearest are"):
        numjaz.load(tmp_path / "m.pt", architecture="jazbat", epsilon=1e-5, **{**OPTIONS, "classes": 5})
    with pytest.raises(numjaz.NumjazError, match=r"need.*candidates in the file"):
        numjaz.load(tmp_path / "m.pt", architecture="jazbat", epsilon=1e-5, **{**OPTIONS, "modules": 2})


def test_the_epsilon_is_spoken_of(tmp_path: Path) -> None:
    torch.save(made(Flat).state_dict(), tmp_path / "m.pt")
    with pytest.warns(numjaz.NumjazWarning, match=r"epsilon is the architecture's, 0.001; torch's own is 1e-05"):
        numjaz.load(tmp_path / "m.pt", architecture="jazbat", **OPTIONS)


def chain(*layers: numjaz.layers.Layer) -> numjaz.Model:
    nodes = [numjaz.Node("input", numjaz.layers.Input(3))]
    nodes += [numjaz.Node(f"n{k}", layer, ((f"n{k - 1}" if k else "input", 0),)) for k, layer in enumerate(layers)]
    shapes = numjaz.nodes.parameter_table(nodes)
    return numjaz.Model(nodes, {name: np.zeros(p.shape) for name, p in shapes.items()})


def test_safetensors_have_no_order_but_that_of_numbers(tmp_path: Path) -> None:
    """They are sorted by name when they are written: 10 stands before 2."""
    save_file = pytest.importorskip("safetensors.torch").save_file
    lstm = nn.LSTM(3, 3, num_layers=11, batch_first=True).double()
    save_file(lstm.state_dict(), tmp_path / "lstm.safetensors")
    x = torch.randn(2, 9, 3, dtype=torch.float64)
    model = numjaz.load(tmp_path / "lstm.safetensors", chain(*[numjaz.layers.LSTM(3)] * 11))
    np.testing.assert_allclose(model.predict(x.numpy()), lstm(x)[0].detach().numpy(), rtol=0, atol=1e-12)
    dense = [numjaz.layers.Dense(3, "tanh")] * 12
    net = nn.Sequential(*(m for _ in range(12) for m in (nn.Linear(3, 3), nn.Tanh()))).double()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    model = numjaz.load(tmp_path / "net.safetensors", chain(*dense))
    np.testing.assert_allclose(model.predict(x.numpy()), net(x).detach().numpy(), rtol=0, atol=1e-12)
    two = nn.ModuleDict({"enc": nn.Linear(3, 3), "dec": nn.Linear(3, 3)}).double()
    save_file(two.state_dict(), tmp_path / "two.safetensors")
    with pytest.raises(numjaz.NumjazError, match="dec, enc have one shape and no order: names= says"):
        numjaz.load(tmp_path / "two.safetensors", chain(*dense[:2]))
    model = numjaz.load(tmp_path / "two.safetensors", chain(*dense[:2]), names={"n0": "enc", "n1": "dec"})
    np.testing.assert_array_equal(model.parameters["n0/bias"], two["enc"].bias.detach().numpy())


def test_weights_in_two_parts_are_named(tmp_path: Path) -> None:
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    torch.save(net.state_dict(), tmp_path / "m.pt")
    with pytest.raises(numjaz.NumjazError, match="remove_parametrizations"):
        numjaz.load(tmp_path / "m.pt", chain(numjaz.layers.Dense(3)))
