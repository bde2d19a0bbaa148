"""Delays of one run: from the block handed over to events out and to events received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.latency.probes import Emitted, TimedSource

PERCENTILES: Final = (50.0, 95.0, 99.0)


@dataclass(frozen=True)
class Figures:
    """Percentiles of a set of delays (ms); NaN when there are none."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, delays_ms: NDArray[np.float64]) -> Figures:
        """Summarise delays, shape (n,).

        Example:
            >>> Figures.of(np.arange(101.0)).p99_ms
            99.0
        """
        if not len(delays_ms):
            return cls(0, *[float("nan")] * 4)
        p50, p95, p99 = (float(x) for x in np.percentile(delays_ms, PERCENTILES))
        return cls(len(delays_ms), p50, p95, p99, float(delays_ms.max()))


@dataclass(frozen=True)
class Delays:
    """What one run measured, ms.

    Attributes:
        compute_ms: compute delay of each block that brought a position.
        compute_cpu_ms: processor time of each block that brought a position.
        osc_ms: delivery delay of each position received by OSC.
        websocket_ms: delivery delay of each position received by WebSocket.
        positions: number of positions emitted.
    """

    compute_ms: NDArray[np.float64]
    compute_cpu_ms: NDArray[np.float64]
    osc_ms: NDArray[np.float64]
    websocket_ms: NDArray[np.float64]
    positions: int


def delays(source: TimedSource, emitted: Emitted, arrivals: dict[str, Sequence[Sequence[float]]]) -> Delays:
    """Join what was noted at the source, at the sinks and in the receiver.

    Args:
        source: the source, after the run.
        emitted: what the sinks were given, after the run.
        arrivals: by transport, pairs of seq and arrival (monotonic s).
    """
    ends = np.array(source.end_samples, dtype=np.int64)
    # Positions at the stream's end (`finish`) belong to no block.
    with_block = [p for p in emitted.positions if len(ends) and p.audio_sample <= ends[-1]]
    block = np.searchsorted(ends, [p.audio_sample for p in with_block])
    of_seq = {p.seq: source.handed_s[b] for p, b in zip(with_block, block, strict=True)}
    # The last position of each block: later entries replace earlier ones.
    last = {int(b): n for n, b in enumerate(block)}
    compute = np.array([1e3 * (emitted.emitted_s[n] - source.handed_s[b]) for b, n in last.items()])
    compute_cpu = np.array([1e3 * (emitted.emitted_cpu_s[n] - source.handed_cpu_s[b]) for b, n in last.items()])

    def delivery(name: str) -> NDArray[np.float64]:
        return np.array([1e3 * (at_s - of_seq[int(seq)]) for seq, at_s in arrivals[name] if int(seq) in of_seq])

    return Delays(compute, compute_cpu, delivery("osc"), delivery("websocket"), len(emitted.positions))
