"""How likely a user buys a product: a small neural network in NumPy, with fixed weights.

One row has to read all the weights from memory, and so have thirty: a batch of them costs little
more than a single one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

# Requests come in parallel already; more threads inside one product only fight over the cores.
# NumPy's linear algebra reads this when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

FREQUENCIES = 32
HIDDEN = 4096
SCORE_DIGITS = 4


class Scorer:
    """A network with three hidden layers; thread-safe, since it only reads its weights."""

    def __init__(self, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        self._layers = [
            _layer(rng, 4 * FREQUENCIES, HIDDEN),
            _layer(rng, HIDDEN, HIDDEN),
            _layer(rng, HIDDEN, HIDDEN),
            _layer(rng, HIDDEN, 1),
        ]

    def scores(self, pairs: Sequence[tuple[int, int]]) -> list[float]:
        """A score in 0…1 for each pair of user id and product id, rounded to four digits."""
        *hidden, last = self._layers
        values = _features(pairs)
        for weights, bias in hidden:
            values = np.maximum(values @ weights + bias, 0)
        weights, bias = last
        logits = (values @ weights + bias)[:, 0]
        return [round(float(p), SCORE_DIGITS) for p in 1 / (1 + np.exp(-logits))]


def _layer(rng: np.random.Generator, inputs: int, outputs: int) -> tuple[Floats, Floats]:
    scale = np.float32(np.sqrt(2 / inputs))
    weights = rng.standard_normal((inputs, outputs), dtype=np.float32) * scale
    return weights, np.zeros(outputs, dtype=np.float32)


def _features(pairs: Sequence[tuple[int, int]]) -> Floats:
    """Ids as sines and cosines of many wavelengths; shape (pairs, 4 * FREQUENCIES)."""
    wavelengths = np.geomspace(2, 200_000, FREQUENCIES)
    angles = np.asarray(pairs, dtype=np.float64)[:, :, None] * (2 * np.pi / wavelengths)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=2)
    return waves.reshape(len(pairs), -1).astype(np.float32)
