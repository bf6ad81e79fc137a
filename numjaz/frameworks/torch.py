"""A network's twin in torch: the same nodes, names and weights, in torch's own modules."""

# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from numjaz.errors import NumjazError
from numjaz.formats.torch_names import IGNORED, module_names, to_torch
from numjaz.model import Model
from numjaz.nodes import layers_by_owner, output_key, owned_parameters

try:
    import torch
    from torch import Tensor, nn
except ImportError:
    raise NumjazError("the twin needs torch: pip install torch") from None
if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 1):
    raise NumjazError(f"the twin needs torch 2.1 or later, not {torch.__version__}: pip install --upgrade torch")

from numjaz.frameworks.torch_modules import module_of, outputs_of


class Twin(nn.Module):
    """What `torch_module` gives: one submodule for each owner of arrays, by `module_names`.

    Called with what ``Model.predict`` takes, as tensors of the module's dtype, it gives what that gives.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._nodes, self._taken, self._given = model.nodes, model.inputs, model.outputs
        self._names = module_names(model.nodes)
        owned = owned_parameters(model.nodes)
        dtype = np.result_type(np.float32, *model.parameters.values())
        for owner, layer in layers_by_owner(model.nodes).items():
            arrays = {name: model.parameters[f"{owner}/{name}"].astype(dtype) for name in owned[owner]}
            with torch.device("meta"):  # no memory, and no random numbers drawn for weights that are set next
                module = module_of(layer, owned[owner])
            tensors = {name: torch.from_numpy(array) for name, array in to_torch(layer, arrays).items()}
            tensors |= {name: torch.tensor(0) for name in module.state_dict() if name == IGNORED}
            module.load_state_dict(tensors, assign=True)
            self.add_module(self._names[owner], module)
        self.eval()

    def forward(self, x: Tensor | Mapping[str, Tensor]) -> Any:
        made = self.activations(x)
        if len(self._given) == 1:
            return made[self._given[0]]
        return {name: made[name] for name in self._given}

    def activations(self, x: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every node's output by its name, ``node[1]`` its second, as ``Model.activations`` names them."""
        given = x if isinstance(x, Mapping) else dict.fromkeys(self._taken[:1], x)
        if set(given) != set(self._taken):
            raise NumjazError(f"the inputs are {', '.join(self._taken)}, not {', '.join(map(str, given)) or 'none'}")
        made: dict[str, Tensor] = {}
        for node in self._nodes:
            module = getattr(self, self._names[node.owner])
            inputs = tuple(made[output_key(*source)] for source in node.inputs) or (given[node.name],)
            outputs = outputs_of(node.layer, module, inputs)
            made |= {output_key(node.name, k): y for k, y in enumerate(outputs)}
        return made


def torch_module(model: Model) -> Twin:
    """A network rebuilt in torch.

    Parameters
    ----------
    model : Model
        Any network of numjaz's layers.

    Returns
    -------
    torch.nn.Module
        In eval mode, with the model's weights, in float64 where an array of the model's is, else in
        float32. Input and output lie as numjaz lays them out: (N, T, F), a dict by input or output
        name where there are several. ``.activations(x)`` gives every node's output by its name. What
        torch has a module for is that module: ``nn.GRU``, ``nn.Conv1d``; ``state_dict()`` names the
        weights ``node.weight``, as `numjaz.formats.torch_names` says.

    Raises
    ------
    NumjazError
        For a layer of somebody's own, which torch's twin does not know.

    Examples
    --------
    >>> import numjaz
    >>> twin = torch_module(numjaz.jazbat())
    >>> twin.bigru
    GRU(1, 32, batch_first=True, bidirectional=True)
    >>> twin(torch.zeros(2, 256, 1)).shape
    torch.Size([2, 6])
    """
    return Twin(model)
