"""A source of your own: one file, no change to the program.

    PYTHONPATH=examples follower live CACHE --source tone_source:ToneSource=440

To add a source to the program itself, put the file into the room of its medium (follower/audio/, follower/files/,
...) and one line into follower/session/plugins.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np

from follower.events import AudioBlock, Notice


class ToneSource:
    """Five seconds of a sine in real time, for a sound check without a pianist.

    Args:
        frequency_hz: of the tone.
    """

    sample_rate_hz = 44100
    block_samples = 512
    seconds = 5.0

    def __init__(self, frequency_hz: str = "440") -> None:
        self._frequency_hz = float(frequency_hz)
        self._stopped = False

    def __enter__(self) -> Self:
        """Nothing to open."""
        self._stopped = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield the tone, each block when a device would have captured it."""
        begin_s = time.monotonic()
        first = 0
        while not self._stopped and first < self.seconds * self.sample_rate_hz:
            t = (first + np.arange(self.block_samples)) / self.sample_rate_hz
            first += self.block_samples
            due_s = begin_s + first / self.sample_rate_hz
            time.sleep(max(0.0, due_s - time.monotonic()))
            samples = 0.3 * np.sin(2 * np.pi * self._frequency_hz * t)
            yield AudioBlock(first - self.block_samples, samples.astype(np.float32), due_s)

    def stop(self) -> None:
        """End `blocks` after the current block."""
        self._stopped = True
