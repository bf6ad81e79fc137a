"""Where Keras would hand a mask from layer to layer, which numjaz refuses to read and to write."""

from __future__ import annotations

from collections.abc import Sequence

from numjaz.errors import NumjazError
from numjaz.layers import MultiHeadAttention, innermost
from numjaz.nodes import Node


def check_masks(nodes: Sequence[Node]) -> None:
    """Raise where Keras would hand on a mask, which there are none of here.

    The scores of a causal attention carry its mask to whatever layer takes them: a Softmax leaves out
    what is masked, TimeDistributed fails.
    """
    causal = set()
    for node in nodes:
        layer = innermost(node.layer)
        if isinstance(layer, MultiHeadAttention) and layer.causal:
            causal.add(node.name)
        for source, output in node.inputs:
            if source in causal and output == 1:
                raise NumjazError(
                    f"layer {node.name!r:.60} takes the scores of a causal attention ({source!r:.60}), "
                    f"with which Keras hands on a mask; numjaz has no masks"
                )
