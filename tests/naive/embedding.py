"""The embeddings of `follower.inference.embedding`, number by number from all frames at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from follower.kernels.embedding import Layers

Rows = Sequence[Sequence[float]]


def embeddings(levels: Rows, layers: Layers, ahead: bool) -> NDArray[np.float64]:
    """Embedding of each frame; a course ends with the frame, or has it in its middle if it looks `ahead`."""
    n = len(levels)
    x = []
    for frame in range(n):
        courses = []
        for course, bias in zip(layers.course, layers.course_bias, strict=True):
            for semitone in range(len(levels[0])):
                total = float(bias)
                for tap, weight in enumerate(course):
                    at = frame + tap - _before(len(course), ahead)
                    if 0 <= at < n:
                        total += float(weight) * levels[at][semitone]
                courses.append(max(total, 0.0))
        x.append([max(v, 0.0) for v in _dense(courses, layers.first, layers.first_bias)])
    for depth, depth_bias, point, point_bias in zip(
        layers.depth, layers.depth_bias, layers.point, layers.point_bias, strict=True
    ):
        given, x = x, []
        for frame in range(n):
            y = []
            for number, bias in enumerate(depth_bias):
                total = float(bias)
                for tap in range(len(depth)):
                    at = frame + tap - _before(len(depth), ahead)
                    if 0 <= at < n:
                        total += float(depth[tap][number]) * given[at][number]
                y.append(total)
            z = _dense(y, point, point_bias)
            x.append([a + max(b, 0.0) for a, b in zip(given[frame], z, strict=True)])
    out = []
    for frame in range(n):
        raw = _dense(x[frame], layers.last, layers.last_bias)
        norm = math.sqrt(1 + sum(v * v for v in raw))
        out.append([v / norm for v in raw])
    return np.array(out)


def _before(taps: int, ahead: bool) -> int:
    return taps // 2 if ahead else taps - 1


def _dense(x: Sequence[float], weights: NDArray[np.float32], bias: NDArray[np.float32]) -> list[float]:
    return [float(bias[j]) + sum(value * float(weights[i][j]) for i, value in enumerate(x)) for j in range(len(bias))]
