"""Time stamps at a session's two ends: blocks handed over by the source, positions given to the sinks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from follower.events import AudioBlock, Event, Notice, Position
from follower.session.source import Source


class TimedSource:
    """A source that notes when it handed over each block, and ends after a while.

    Args:
        source: open.
        seconds: length of audio after which the source ends; None: the whole source.
        clock: monotonic seconds.
        cpu_clock: processor seconds of the calling thread.

    Attributes:
        end_samples: sample counter after each block.
        handed_s: instant at which each block was handed over.
        handed_cpu_s: processor time of the thread at the instants of `handed_s`.
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
