"""Weights of CuDNNGRU and CuDNNLSTM, layers of TensorFlow 1 that kept them as cuDNN does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from numjaz.layers import Array


def from_cudnn(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """``kernel``, ``recurrent_kernel`` and ``bias`` as Keras keeps them.

    cuDNN has each gate's matrices transposed, (units, C) and (units, units), and two biases a gate:
    the GRU keeps both, the LSTM their sum.
    """
    kernel, recurrent, bias = arrays["kernel"], arrays["recurrent_kernel"], arrays["bias"]
    channels, units = kernel.shape[0], recurrent.shape[0]
    gates = kernel.shape[1] // units
    both = bias.reshape(2, gates * units)
    return {
        "kernel": np.hstack([gate.reshape(units, channels).T for gate in np.hsplit(kernel, gates)]),
        "recurrent_kernel": np.hstack([gate.T for gate in np.hsplit(recurrent, gates)]),
        "bias": both if gates == 3 else both.sum(axis=0),
    }
