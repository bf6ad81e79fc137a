"""Write every network with the installed torch: ``python tests/matrix/write_torch.py FOLDER``.

Under FOLDER, in a folder named after the version: each network of `torch_networks`, in float64 and float32, as a
state dict, as the checkpoint of a training script and, where the package is there, as ``.safetensors``; beside it
(``.npz``) its inputs and what torch gives for them at every module that is a node. Imports nothing of numjaz.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from torch_networks import NETWORKS, named_outputs, network, sample

try:
    import safetensors
    from safetensors.torch import save_file
except ImportError:
    safetensors = None

DTYPES = ("float64", "float32")


def trained(net: torch.nn.Module, x: list[np.ndarray]) -> torch.optim.Optimizer:
    """An optimizer that has changed the network once."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    net(*(torch.as_tensor(array) for array in x)).square().sum().backward()
    optimizer.step()
    return optimizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    version = torch.__version__.partition("+")[0]
    folder = parser.parse_args().folder / f"torch-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    refused: dict[str, str] = {}
    for name in NETWORKS:
        for dtype in DTYPES:
            net = network(name, dtype)
            x = sample(net, dtype)
            optimizer, state = trained(net, x), net.state_dict()
            made, y = named_outputs(net, x)
            arrays = {f"x/{k}": array for k, array in enumerate(x)} | {f"node/{node}": a for node, a in made.items()}
            np.savez_compressed(folder / f"{name}-{dtype}.npz", **arrays, y=y)
            torch.save(state, folder / f"{name}-{dtype}.pt")
            parallel = {f"module.{path}": tensor for path, tensor in state.items()}
            checkpoint = {"epoch": 1, "model_state_dict": parallel, "optimizer_state_dict": optimizer.state_dict()}
            torch.save(checkpoint, folder / f"{name}-{dtype}.checkpoint.pt")
            path = folder / f"{name}-{dtype}.safetensors"
            if safetensors:
                save_file(state, path, {"format": "pt"})
            else:
                refused[path.name] = "ImportError: the package safetensors is not installed"
    versions = {"python": platform.python_version(), "torch": version, "numpy": np.__version__}
    if safetensors:
        versions["safetensors"] = safetensors.__version__
    (folder / "VERSIONS").write_text("".join(f"{name} {version}\n" for name, version in versions.items()))
    if refused:
        (folder / "refused.json").write_text(json.dumps(refused, indent=1) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
