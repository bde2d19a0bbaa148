"""Replay of an audio file as a live stream would come: same blocks, same pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from follower.errors import AudioFileError, InputError
from follower.events import AudioBlock
from follower.files.audio_file import AudioFile, finite_blocks

MIN_SAMPLES = 2
"""A file of one sample is an export that failed, not a performance."""


class FileSource:
    """Stream a recording (wav, flac, ogg, mp3; any rate; channels are averaged).

    Args:
        path: the recording.
        block_samples: samples per block, at the file's rate.
        speed: 1.0 is real time, 2.0 twice as fast; None is as fast as the consumer takes it: then there is no instant
            at which a device would have captured a block, and none can be late.
        clock: monotonic seconds, for the pace and the capture times.
        wait: sleeps that many seconds.

    Example:
        >>> with FileSource(Path("p.wav"), speed=None) as source:   # doctest: +SKIP
        ...     for block in source.blocks():
        ...         events = engine.process(block)
    """

    def __init__(
        self,
        path: Path,
        block_samples: int = 512,
        speed: float | None = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if block_samples < 1:
            raise InputError(f"block size is {block_samples} samples; give 1 or more")
        if speed is not None and not 0 < speed < float("inf"):
            raise InputError(f"speed is {speed}; give a number above 0")
        self._path = path
        self._block_samples = block_samples
        self._speed = speed
        self._clock = clock
        self._wait = wait
        self._file = AudioFile(path)
        self._stopped = False
        self._heard_samples = 0
        self._rate_hz = 1

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the file."""
        return self._opened().sample_rate_hz

    @property
    def duration_s(self) -> float:
        """Length of the file."""
        file = self._opened()
        return file.n_samples / file.sample_rate_hz

    @property
    def heard_s(self) -> float:
        """How much of the recording was streamed (s); less than all of it after `stop`. Still valid when closed."""
        return self._heard_samples / self._rate_hz

    def _opened(self) -> AudioFile:
        if not self._file.is_open:
            raise InputError(f"{self._path} is not open; use it in a with statement")
        return self._file

    def __enter__(self) -> Self:
        """Open the file and read it once: what a device could never deliver is refused before anything is written.

        Raises:
            AudioFileError: missing, not audio, damaged, empty, or with NaN or infinite samples.
        """
        self._file.__enter__()
        try:
            n = sum(len(block) for block in finite_blocks(self._file))
            if n < MIN_SAMPLES:
                raise AudioFileError(f"{self._path} holds {n} samples; give a recording of the piano")
            self._file.rewind()
            self._rate_hz = self._file.sample_rate_hz
        except BaseException:
            self._file.close()
            raise
        self._stopped = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the file's blocks, the last one shorter, each when a device would have captured it."""
        file = self._opened()
        rate = file.sample_rate_hz
        begin_s = self._clock()
        n = 0
        while not self._stopped:
            data = file.read(self._block_samples)
            if not len(data):
                return
            n += len(data)
            self._heard_samples = n
            due_s: float | None = None
            if self._speed is not None:
                due_s = begin_s + n / rate / self._speed
                while (left_s := due_s - self._clock()) > 0 and not self._stopped:
                    self._wait(min(left_s, 0.1))
            yield AudioBlock(n - len(data), data.mean(axis=1, dtype=np.float32), due_s)

    def stop(self) -> None:
        """End `blocks` after the current block."""
        self._stopped = True
