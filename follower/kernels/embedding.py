"""Kernel of the live piano's embedding, one hop. Oracle: tests/naive/embedding.py.

Layers are added up input by input, so that the compiler may work on several outputs at once without changing a sum.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Layers(NamedTuple):
    """Weights of a tower.

    Attributes:
        course: (filters, c) courses of a semitone over c frames, the newest last.
        course_bias: (filters,).
        first: (filters * k, w): all courses of filter 0, then those of filter 1.
        first_bias: (w,).
        depth: (blocks, d, w) courses of each number over d frames, the newest last.
        depth_bias: (blocks, w).
        point: (blocks, w, w), input first.
        point_bias: (blocks, w).
        last: (w, e), input first.
        last_bias: (e,).
    """

    course: Array
    course_bias: Array
    first: Array
    first_bias: Array
    depth: Array
    depth_bias: Array
    point: Array
    point_bias: Array
    last: Array
    last_bias: Array


@njit(cache=True)
def embed_hop(level: Array, hop: int, layers: Layers, levels: Array, blocks: Array, out: Array) -> None:
    """Write the embedding of the newest hop.

    Args:
        level: (k,) scaled amplitudes of the hop.
        hop: its number.
        layers: see `Layers`.
        levels: (c, k) ring of the newest levels, changed in place.
        blocks: (blocks, d, w) rings of what the blocks were given, changed in place.
        out: (e,), written; its norm is below 1.
    """
    filters, taps = layers.course.shape
    k, w = len(level), len(layers.first_bias)
    levels[hop % taps] = level
    x = layers.first_bias.copy()
    course = np.empty(k, np.float32)
    for f in range(filters):
        course[:] = layers.course_bias[f]
        for tap in range(taps):
            weight = layers.course[f, tap]
            row = levels[(hop + 1 + tap) % taps]
            for i in range(k):
                course[i] += weight * row[i]
        for i in range(k):
            if course[i] > 0:
                _add(course[i], layers.first[f * k + i], x)
    _rectify(x)
    y, z = np.empty(w, np.float32), np.empty(w, np.float32)
    for b in range(len(layers.depth)):
        ring = blocks[b]
        reach = len(ring)
        ring[hop % reach] = x
        y[:] = layers.depth_bias[b]
        for tap in range(reach):
            weights, row = layers.depth[b, tap], ring[(hop + 1 + tap) % reach]
            for i in range(w):
                y[i] += weights[i] * row[i]
        z[:] = layers.point_bias[b]
        for i in range(w):
            _add(y[i], layers.point[b, i], z)
        _rectify(z)
        for i in range(w):
            x[i] += z[i]
    out[:] = layers.last_bias
    for i in range(w):
        _add(x[i], layers.last[i], out)
    energy = 0.0
    for value in out:
        energy += value * value
    scale = np.float32(1.0 / math.sqrt(1.0 + energy))
    for i in range(len(out)):
        out[i] *= scale


@njit(cache=True)
def _add(x: np.float32, weights: Array, out: Array) -> None:
    for j in range(len(out)):
        out[j] += x * weights[j]


@njit(cache=True)
def _rectify(x: Array) -> None:
    for i in range(len(x)):
        x[i] = max(x[i], np.float32(0))


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    shapes = ((1, 2), (1,), (3, 2), (2,), (1, 2, 2), (1, 2), (1, 2, 2), (1, 2), (2, 2), (2,))
    layers = Layers(*(np.zeros(shape, np.float32) for shape in shapes))
    level, levels, blocks, out = (np.zeros(shape, np.float32) for shape in ((3,), (2, 3), (1, 2, 2), (2,)))
    embed_hop(level, 0, layers, levels, blocks, out)
