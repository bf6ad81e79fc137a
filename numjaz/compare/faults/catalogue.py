"""The catalogue of known faults of ports: every edit that a node could have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from numjaz.compare.faults.activations import activation_faults, added_faults, slope_faults, softmax_faults
from numjaz.compare.faults.arrays import array_faults
from numjaz.compare.faults.attention import attention_faults
from numjaz.compare.faults.convolutions import convolution_faults, pooling_faults
from numjaz.compare.faults.edit import Edit, Site
from numjaz.compare.faults.inputs import input_faults, merge_faults, missing_layer, shape_faults
from numjaz.compare.faults.normalizations import normalization_faults, standardization_faults
from numjaz.compare.faults.recurrences import cell_faults
from numjaz.layers import (
    ELU,
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    DepthwiseConv1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    MaxPooling1D,
    MultiHeadAttention,
    Normalization,
    PReLU,
    Recurrent,
    ReLU,
    SeparableConv1D,
    Softmax,
    TimeDistributed,
)


def edits(site: Site) -> Iterator[Edit]:
    """Every known fault that a node could have, the likelier ones of one function first."""
    if isinstance(site.layer, TimeDistributed):
        yield from _within(site, site.layer)
        return
    yield from _of_its_kind(site)
    yield from array_faults(site)
    if site.outer:
        yield from input_faults(site)
    if not isinstance(site.layer, (Activation, Softmax)):  # whose own faults have that one
        yield from missing_layer(site)


def _of_its_kind(site: Site) -> Iterator[Edit]:
    match site.layer:
        case Recurrent():
            yield from activation_faults(site)
            yield from activation_faults(site, "recurrent_activation")
            yield from cell_faults(site)
        case BatchNormalization() | LayerNormalization():
            yield from normalization_faults(site)
            yield from added_faults(site)
        case Normalization():
            yield from standardization_faults(site)
        case Conv1D() | DepthwiseConv1D() | SeparableConv1D():
            yield from activation_faults(site)
            yield from convolution_faults(site)
        case AveragePooling1D() | MaxPooling1D() | GlobalAveragePooling1D() | GlobalMaxPooling1D():
            yield from pooling_faults(site)
        case ReLU() | ELU() | PReLU():
            yield from slope_faults(site)
        case MultiHeadAttention():
            yield from attention_faults(site)
        case Bidirectional():
            pass
        case _:
            yield from activation_faults(site)
            yield from shape_faults(site)
            yield from merge_faults(site)
    yield from softmax_faults(site)


def _within(site: Site, layer: TimeDistributed) -> Iterator[Edit]:
    """Faults of the layer that stands at every step."""
    folded = tuple(x.reshape(-1, *x.shape[2:]) for x in site.inputs)
    made = tuple(x.reshape(-1, *x.shape[2:]) for x in site.recorded)
    for edit in edits(site._replace(layer=layer.layer, inputs=folded, recorded=made, raw=(), outer=False)):
        if edit.within:
            yield replace(edit, layer=TimeDistributed(edit.layer))
