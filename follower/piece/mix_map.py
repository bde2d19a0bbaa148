"""The offline map between the full mix PO and the orchestra recording O.

Every live position is found in the full mix first and is then carried over to the orchestra recording,
so this map is part of every live error.  It is a monotone polyline in seconds.  A horizontal piece is a
*cut*: the mix plays a passage (a solo cadenza) that the orchestra recording leaves out, and O holds.  A
vertical piece is a passage of O that the mix leaves out: O jumps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from follower.errors import InputError

CUT_MIN_S: Final = 0.5
"""A shorter hold of O is rubato, not a cut."""

SLOPE_REACH_S: Final = 0.25
"""The slope at t is measured over t +- this much of the mix: smooths the knots, short against a beat."""
SHORTEST_S: Final = 1e-9
"""Over less than this there is no slope."""


class _Lists(NamedTuple):
    """The map's arrays as lists: a single position, as each hop asks for, is found in them twenty times sooner."""

    mix: list[float]
    orchestra: list[float]
    confidence: list[float]
    cut_starts: list[float]
    cut_ends: list[float]
    edges: list[float]


class MixMap:
    """A monotone map between mix time and orchestra time, with a confidence.

    Args:
        orchestra_s: shape (K,), K >= 2, non-decreasing seconds in the orchestra recording.
        mix_s: shape (K,), non-decreasing seconds in the full mix.
        confidence: shape (K,), 0..1, how far the map is to be trusted at each knot.

    Raises:
        InputError: shapes differ, fewer than two knots, not finite, a decreasing axis, or a confidence
            outside 0..1.

    Outside its knots the map holds its end values.  All arrays are copied and read-only.

    >>> m = MixMap([0.0, 10.0, 10.0, 30.0], [5.0, 15.0, 25.0, 35.0], [1.0, 1.0, 1.0, 1.0])
    >>> m.to_orchestra(20.0), m.to_orchestra(30.0), m.to_mix(20.0)
    (10.0, 20.0, 30.0)
    >>> m.cuts.tolist(), bool(m.in_cut(20.0)), m.slope_at(30.0)
    ([[15.0, 25.0, 10.0]], True, 2.0)
    """

    __slots__ = ("_edges", "_lists", "confidence", "cuts", "mix_s", "orchestra_s")

    orchestra_s: NDArray[np.float64]
    mix_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    cuts: NDArray[np.float64]
    """Shape (N, 3): mix start, mix end, and the orchestra second at which O holds, of each cut in order."""

    def __init__(self, orchestra_s: ArrayLike, mix_s: ArrayLike, confidence: ArrayLike) -> None:
        self.orchestra_s = _axis("orchestra_s", orchestra_s)
        self.mix_s = _axis("mix_s", mix_s)
        self.confidence = _frozen(np.asarray(confidence, dtype=np.float64))
        shapes = (self.orchestra_s.shape, self.mix_s.shape, self.confidence.shape)
        if len(set(shapes)) != 1:
            raise InputError(f"the map's orchestra, mix and confidence arrays differ in shape: {shapes}")
        if not bool(np.all((self.confidence >= 0.0) & (self.confidence <= 1.0))):
            raise InputError("the map's confidence has values outside 0..1; rebuild the cache")
        self.cuts = _frozen(_find_cuts(self.orchestra_s, self.mix_s))
        jumps = self.mix_s[1:][np.diff(self.mix_s) <= 0.0]
        self._edges = np.unique(np.concatenate([self.mix_s[[0, -1]], self.cuts[:, :2].ravel(), jumps]))
        self._lists = _Lists(
            self.mix_s.tolist(),
            self.orchestra_s.tolist(),
            self.confidence.tolist(),
            self.cuts[:, 0].tolist(),
            self.cuts[:, 1].tolist(),
            self._edges.tolist(),
        )

    @overload
    def to_orchestra(self, mix_s: float) -> float: ...
    @overload
    def to_orchestra(self, mix_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def to_orchestra(self, mix_s: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Orchestra seconds at mix seconds; where O jumps, the position after the jump."""
        if not isinstance(mix_s, np.ndarray):
            return _value_after(self._lists.mix, self._lists.orchestra, float(mix_s))
        return _interpolate(self.mix_s, self.orchestra_s, mix_s, "right")

    @overload
    def to_mix(self, orchestra_s: float) -> float: ...
    @overload
    def to_mix(self, orchestra_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def to_mix(self, orchestra_s: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Mix seconds at orchestra seconds; where O holds (a cut), the start of the cut."""
        if not isinstance(orchestra_s, np.ndarray):
            return _value_before(self._lists.orchestra, self._lists.mix, float(orchestra_s))
        return _interpolate(self.orchestra_s, self.mix_s, orchestra_s, "left")

    @overload
    def slope_at(self, mix_s: float) -> float: ...
    @overload
    def slope_at(self, mix_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def slope_at(self, mix_s: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Orchestra seconds per mix second round mix_s: 0 in a cut and outside the map; jumps left out."""
        if not isinstance(mix_s, np.ndarray):
            return self._slope_of(float(mix_s))
        t = np.asarray(mix_s, dtype=np.float64)
        at = self._piece_limits(t)
        low, high = np.maximum(t - SLOPE_REACH_S, at[0]), np.minimum(t + SLOPE_REACH_S, at[1])
        rise = _interpolate(self.mix_s, self.orchestra_s, high, "left") - _interpolate(
            self.mix_s, self.orchestra_s, low, "right"
        )
        span = high - low
        slope = np.where(span > SHORTEST_S, np.maximum(rise, 0.0) / np.maximum(span, SHORTEST_S), 0.0)
        outside = (t < self.mix_s[0]) | (t > self.mix_s[-1])
        return np.where(outside | self.in_cut(t), 0.0, slope)

    @overload
    def confidence_at(self, mix_s: float) -> float: ...
    @overload
    def confidence_at(self, mix_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def confidence_at(self, mix_s: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Confidence 0..1 of the map at mix seconds; 0 outside the map."""
        lists = self._lists
        if not isinstance(mix_s, np.ndarray):
            if mix_s < lists.mix[0] or mix_s > lists.mix[-1]:
                return 0.0
            return _value_after(lists.mix, lists.confidence, float(mix_s))
        value = _interpolate(self.mix_s, self.confidence, mix_s, "right")
        return np.where((mix_s < lists.mix[0]) | (mix_s > lists.mix[-1]), 0.0, value)

    @overload
    def in_cut(self, mix_s: float) -> bool: ...
    @overload
    def in_cut(self, mix_s: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def in_cut(self, mix_s: float | NDArray[np.float64]) -> bool | NDArray[np.bool_]:
        """Whether O holds at mix seconds: cut start <= t < cut end."""
        if not isinstance(mix_s, np.ndarray):
            at = bisect_right(self._lists.cut_starts, mix_s) - 1
            return at >= 0 and mix_s < self._lists.cut_ends[at]
        t = np.asarray(mix_s, dtype=np.float64)
        k = np.searchsorted(self.cuts[:, 0], t, side="right") - 1
        if len(self.cuts) == 0:
            return np.zeros(t.shape, dtype=np.bool_)
        inside = (k >= 0) & (t < self.cuts[np.maximum(k, 0), 1])
        return np.asarray(inside, dtype=np.bool_)

    def _slope_of(self, t: float) -> float:
        """As `slope_at`, of a single position."""
        lists = self._lists
        edges = lists.edges
        if t < lists.mix[0] or t > lists.mix[-1] or self.in_cut(t):
            return 0.0
        k = min(max(bisect_right(edges, t), 1), max(len(edges) - 1, 1))
        low, high = max(t - SLOPE_REACH_S, edges[k - 1]), min(t + SLOPE_REACH_S, edges[min(k, len(edges) - 1)])
        if high - low <= SHORTEST_S:
            return 0.0
        rise = _value_before(lists.mix, lists.orchestra, high) - _value_after(lists.mix, lists.orchestra, low)
        return max(rise, 0.0) / (high - low)

    def _piece_limits(self, t: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mix limits of the smooth piece round t: cuts and jumps of O bound it."""
        edges = self._edges
        k = np.clip(np.searchsorted(edges, t, side="right"), 1, max(len(edges) - 1, 1))
        return edges[k - 1], edges[np.minimum(k, len(edges) - 1)]


def _axis(name: str, values: ArrayLike) -> NDArray[np.float64]:
    a = np.asarray(values, dtype=np.float64)
    if a.ndim != 1 or len(a) < 2:
        raise InputError(f"the map's {name} needs at least two values in one row, got shape {a.shape}")
    if not bool(np.all(np.isfinite(a))):
        raise InputError(f"the map's {name} has values that are not finite; rebuild the cache")
    if bool(np.any(np.diff(a) < 0.0)):
        k = int(np.argmax(np.diff(a) < 0.0))
        raise InputError(f"the map's {name} goes back at knot {k + 1} ({a[k]:.3f} s to {a[k + 1]:.3f} s)")
    return _frozen(a)


def _frozen(a: NDArray[np.float64]) -> NDArray[np.float64]:
    a = a.copy()
    a.flags.writeable = False
    return a


def _find_cuts(orchestra_s: NDArray[np.float64], mix_s: NDArray[np.float64]) -> NDArray[np.float64]:
    still = np.concatenate([[False], np.diff(orchestra_s) <= 1e-9, [False]])
    first = np.flatnonzero(still[1:] & ~still[:-1])
    last = np.flatnonzero(still[:-1] & ~still[1:])
    rows = np.stack([mix_s[first], mix_s[last], orchestra_s[first]], axis=1)
    return rows[rows[:, 1] - rows[:, 0] >= CUT_MIN_S]


def _interpolate(
    x: NDArray[np.float64], y: NDArray[np.float64], at: float | NDArray[np.float64], side: str
) -> NDArray[np.float64]:
    """Piecewise linear y(at), clamped; where x repeats, its first ("left") or last ("right") y."""
    t = np.clip(np.asarray(at, dtype=np.float64), x[0], x[-1])
    if side == "right":
        i = np.searchsorted(x, t, side="right") - 1
        j = np.minimum(i + 1, len(x) - 1)
    else:
        j = np.searchsorted(x, t, side="left")
        i = np.maximum(j - 1, 0)
        i = np.where(x[j] == t, j, i)
    span = x[j] - x[i]
    share = np.where(span > 0.0, (t - x[i]) / np.where(span > 0.0, span, 1.0), 0.0)
    return np.asarray(y[i] + share * (y[j] - y[i]), dtype=np.float64)


def _value_after(x: list[float], y: list[float], at: float) -> float:
    """As `_interpolate` from the right, of a single position."""
    t = min(max(at, x[0]), x[-1])
    i = bisect_right(x, t) - 1
    return _between(x, y, t, i, min(i + 1, len(x) - 1))


def _value_before(x: list[float], y: list[float], at: float) -> float:
    """As `_interpolate` from the left, of a single position."""
    t = min(max(at, x[0]), x[-1])
    j = bisect_left(x, t)
    return _between(x, y, t, j if x[j] == t else max(j - 1, 0), j)


def _between(x: list[float], y: list[float], t: float, i: int, j: int) -> float:
    span = x[j] - x[i]
    return y[i] + ((t - x[i]) / span if span > 0.0 else 0.0) * (y[j] - y[i])
