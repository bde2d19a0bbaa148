"""How late is what the follower says? Compute, delivery and musical delay (issue 5, `follower latency`).

- compute: a block handed over by the source until the last event it caused was given to the sinks, and the processor
  time of that thread within (what remains when other programs want the processor too);
- delivery: the same block until the event was parsed by an OSC and a WebSocket receiver in another process;
- musical: the shift in time between claims and the annotated truth.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from follower.errors import InputError, OutputError
from follower.events import AudioBlock, Event, Notice, Position
from follower.session.source import Source

PERCENTILES = (50.0, 95.0, 99.0)
LOCKED_WITHIN_S = 0.3
"""Claims further off than this are errors of place, not of time."""
LONGEST_LAG_S = 0.25
LONGEST_TRUTH_GAP_S = 0.2


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
class Musical:
    """Delay of the claims against the truth; positive means the follower is behind the pianist.

    Attributes:
        count: positions compared.
        bias_ms: median of (truth - claim) / rate: how much later than the pianist the claims are.
        lag_ms: the shift of the claims in time that fits the truth best (least median error).
    """

    count: int
    bias_ms: float
    lag_ms: float


def musical_delay(
    audio_s: NDArray[np.float64],
    claim_s: NDArray[np.float64],
    rate: NDArray[np.float64],
    truth_audio_s: NDArray[np.float64],
    truth_orchestra_s: NDArray[np.float64],
) -> Musical:
    """Compare claims with the truth.

    Args:
        audio_s: instants of the claims, shape (n,).
        claim_s: claimed places in the orchestra recording, shape (n,).
        rate: claimed rates, shape (n,).
        truth_audio_s: increasing instants with a known place, shape (K,); gaps are where nothing is known.
        truth_orchestra_s: places there, shape (K,).

    Returns:
        The delays; NaN when no claim can be compared.
    """

    def truth_at(t: NDArray[np.float64]) -> NDArray[np.float64]:
        place: NDArray[np.float64] = np.interp(t, truth_audio_s, truth_orchestra_s)
        after = np.clip(np.searchsorted(truth_audio_s, t), 1, len(truth_audio_s) - 1)
        known = (t >= truth_audio_s[0]) & (t <= truth_audio_s[-1])
        # Rows far apart, or a jump between them, tell nothing about the time in between.
        known &= np.diff(truth_audio_s)[after - 1] <= LONGEST_TRUTH_GAP_S
        known &= np.abs(np.diff(truth_orchestra_s)[after - 1]) <= 5 * LONGEST_TRUTH_GAP_S
        return np.where(known, place, np.nan)

    error = truth_at(audio_s) - claim_s
    use = np.abs(error) < LOCKED_WITHIN_S  # false for NaN
    use &= rate > 0.1
    if use.sum() < 2:
        return Musical(int(use.sum()), float("nan"), float("nan"))
    lags = np.arange(-LONGEST_LAG_S, LONGEST_LAG_S + 5e-4, 1e-3)
    misfit = []
    for lag in lags:
        off = np.abs(truth_at(audio_s[use] - lag) - claim_s[use])
        off = off[~np.isnan(off)]
        misfit.append(float(np.median(off)) if len(off) else np.inf)
    return Musical(
        int(use.sum()), 1e3 * float(np.median(error[use] / rate[use])), 1e3 * float(lags[int(np.argmin(misfit))])
    )


class TimedSource:
    """A source that notes when it handed over each block, and ends after a while.

    Args:
        source: open.
        seconds: of audio after which it ends; None for all.
        clock: monotonic seconds.
        cpu_clock: processor seconds of the calling thread.

    Attributes:
        end_samples: counter after each block.
        handed_s: when it was handed over.
        handed_cpu_s: the thread's processor time then.
    """

    def __init__(
        self,
        source: Source,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._source = source
        self._seconds = seconds
        self._clock = clock
        self._cpu_clock = cpu_clock
        self.end_samples: list[int] = []
        self.handed_s: list[float] = []
        self.handed_cpu_s: list[float] = []

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the source."""
        return self._source.sample_rate_hz

    def __enter__(self) -> Self:
        """Open the source."""
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        self._source.__exit__(kind, error, trace)

    def stop(self) -> None:
        """End the source."""
        self._source.stop()

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield the source's blocks."""
        for item in self._source.blocks():
            if isinstance(item, AudioBlock):
                end = item.first_sample + len(item.samples)
                if self._seconds is not None and end > self._seconds * self.sample_rate_hz:
                    return
                self.end_samples.append(end)
                self.handed_cpu_s.append(self._cpu_clock())
                self.handed_s.append(self._clock())
            yield item


@dataclass
class Emitted:
    """The positions a run emitted, and when; `note` is the runner's `on_event`."""

    clock: Callable[[], float] = time.monotonic
    cpu_clock: Callable[[], float] = time.thread_time
    positions: list[Position] = field(default_factory=list)
    emitted_s: list[float] = field(default_factory=list)
    emitted_cpu_s: list[float] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Take an event just given to the sinks."""
        if isinstance(event, Position):
            self.positions.append(event)
            self.emitted_s.append(self.clock())
            self.emitted_cpu_s.append(self.cpu_clock())


@dataclass(frozen=True)
class Delays:
    """What one run measured, ms.

    Attributes:
        compute_ms: per block that brought a position.
        compute_cpu_ms: processor time of the same.
        osc_ms: per position received by OSC.
        websocket_ms: per position received by WebSocket.
        positions: positions emitted.
    """

    compute_ms: NDArray[np.float64]
    compute_cpu_ms: NDArray[np.float64]
    osc_ms: NDArray[np.float64]
    websocket_ms: NDArray[np.float64]
    positions: int


def delays(source: TimedSource, emitted: Emitted, arrivals: dict[str, Sequence[Sequence[float]]]) -> Delays:
    """Join what was noted at the source, at the sinks and in the receiver.

    Args:
        source: after the run.
        emitted: after the run.
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


@contextlib.contextmanager
def cpu_load(processes: int) -> Iterator[None]:
    """Run busy processes of our own priority meanwhile."""
    command = [sys.executable, "-c", "import os\nwhile os.getppid() != 1: sum(range(100000))"]
    busy = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


class ReceiverProcess:
    """`follower.evaluation.receiver` in a process of its own.

    Args:
        ws_port: the WebSocket server to listen to.
    """

    def __init__(self, ws_port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "follower.evaluation.receiver", str(ws_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.osc_port = int(self._line()["osc_port"])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OutputError("the receiving process ended early; its message is above")
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def finish(self) -> dict[str, Sequence[Sequence[float]]]:
        """End the process and return what arrived when."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        arrivals = self._line()
        self._process.stdout.close()
        self._process.wait()
        return arrivals


def plot(measured: Delays, path: Path, title: str) -> None:
    """Write the histograms as an image.

    Raises:
        OutputError: it cannot be written.
        InputError: nothing was measured.
    """
    if not len(measured.compute_ms):
        raise InputError("no position was emitted, there is nothing to plot; give a longer recording")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    shown = (
        ("compute: block in to events out", measured.compute_ms),
        ("delivery by OSC", measured.osc_ms),
        ("delivery by WebSocket", measured.websocket_ms),
    )
    most = max(float(values.max()) for _, values in shown if len(values))
    bins = np.geomspace(0.02, max(most, 0.1) * 1.1, 80)
    for axes, (name, values) in zip(figure.subplots(len(shown), sharex=True), shown, strict=True):
        axes.hist(values, bins=bins, color="#1f5fa8")
        found = Figures.of(values)
        axes.axvline(found.p99_ms, color="#b3261e")
        axes.set_title(f"{name}: p50 {found.p50_ms:.2f}, p99 {found.p99_ms:.2f} (red), max {found.max_ms:.2f} ms")
        axes.set_ylabel("events")
        if len(values):
            axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_xlabel("delay (ms)")
    figure.suptitle(title)
    try:
        figure.savefig(path)
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a file you may write") from e
