"""Replay of an audio file as a live stream would come: same blocks, same pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

from follower.errors import AudioFileError, InputError
from follower.events import AudioBlock

SHORTEST_SAMPLES = 2
"""A file of one sample is an export that failed, not a performance."""


class FileSource:
    """Stream a recording (wav, flac, ogg, mp3; any rate; channels are averaged).

    Args:
        path: the recording.
        block_samples: samples per block, at the file's rate.
        speed: 1.0 is real time, 2.0 twice as fast; None is as fast as the consumer takes it.
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
        self._file: soundfile.SoundFile | None = None
        self._stopped = False

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the file."""
        return int(self._opened().samplerate)

    @property
    def duration_s(self) -> float:
        """Length of the file."""
        f = self._opened()
        return int(f.frames) / int(f.samplerate)

    def _opened(self) -> soundfile.SoundFile:
        if self._file is None:
            raise InputError(f"{self._path} is not open; use it in a with statement")
        return self._file

    def __enter__(self) -> Self:
        """Open and check the file.

        Raises:
            AudioFileError: missing, not audio, empty, or with NaN or infinite samples.
        """
        try:
            with self._path.open("rb"):
                pass
            self._file = soundfile.SoundFile(self._path)
        except OSError as e:
            raise AudioFileError(f"cannot read {self._path}: {e.strerror or e}; give the path of a recording") from e
        except (soundfile.LibsndfileError, RuntimeError, TypeError) as e:
            reason = (getattr(e, "error_string", None) or str(e)).strip()
            raise AudioFileError(
                f"{self._path} is not an audio file that can be read ({reason}); give wav, flac, ogg or mp3"
            ) from e
        try:
            self._check(self._file)
        except BaseException:
            self._file.close()
            self._file = None
            raise
        self._stopped = False
        return self

    def _check(self, file: soundfile.SoundFile) -> None:
        """Read the file once: what a device could never deliver is refused before anything is written."""
        n = 0
        for data in file.blocks(blocksize=1 << 18, dtype="float32", always_2d=True):
            if not np.isfinite(data).all():
                at = n + int(np.argmin(np.isfinite(data).all(axis=1)))
                raise AudioFileError(
                    f"{self._path} has a sample that is not a number at {at / file.samplerate:.3f} s; export it again"
                )
            n += len(data)
        if n < SHORTEST_SAMPLES:
            raise AudioFileError(f"{self._path} holds {n} samples; give a recording of the piano")
        file.seek(0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the file's blocks, the last one shorter, each when a device would have captured it."""
        file = self._opened()
        rate = int(file.samplerate)
        begin_s = self._clock()
        n = 0
        while not self._stopped:
            data = file.read(self._block_samples, dtype="float32", always_2d=True)
            if not len(data):
                return
            n += len(data)
            due_s = begin_s + (n / rate / self._speed if self._speed is not None else 0.0)
            if self._speed is None:
                due_s = self._clock()
            else:
                while (left_s := due_s - self._clock()) > 0 and not self._stopped:
                    self._wait(min(left_s, 0.1))
            yield AudioBlock(n - len(data), data.mean(axis=1, dtype=np.float32), due_s)

    def stop(self) -> None:
        """End `blocks` after the current block."""
        self._stopped = True
