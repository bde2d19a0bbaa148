"""Recording a session: the piano as it is heard and the orchestra as it sounds then, two channels of one FLAC file."""

from __future__ import annotations

import queue
import threading
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.events import AudioBlock
from follower.files.whole_file import WholeFile
from follower.kernels import stretch as kernels
from follower.playback.clock import ClockModel
from follower.playback.reading_between import TAPS, make_table

MAX_WAITING_BLOCKS = 2000
KEPT_S = 6.0
"""Of the orchestra's sound: it is made ahead of time, and the piano comes late."""
RESYNC_S = 0.02
"""An orchestra that is further away than this from where it should be is cut to the right place."""
PULL = 0.05
"""Share of a smaller deviation that is taken out with every block."""
MAX_TAKE_S = 4 * 3600.0


class OrchestraTrack:
    """The orchestra's sound by the instant at which it is heard; one thread writes, another reads."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[float, NDArray[np.float32], int]] = deque()
        self._lock = threading.Lock()
        self._table = make_table()
        self._at_s: float | None = None

    def put(self, at_s: float, sound: NDArray[np.float32], sample_rate_hz: int) -> None:
        """Take a block (n,) that begins to sound at an instant (monotonic s)."""
        with self._lock:
            self._blocks.append((at_s, sound, sample_rate_hz))
            while self._blocks and at_s - self._blocks[0][0] > KEPT_S:
                self._blocks.popleft()

    def read(self, begin_s: float, n: int, period_s: float) -> NDArray[np.float32]:
        """Return the sound (n,) from an instant on, with `period_s` between samples; silence where there is none."""
        with self._lock:
            blocks = list(self._blocks)
        if not blocks:
            self._at_s = None
            return np.zeros(n, np.float32)
        if self._at_s is None or abs(begin_s - self._at_s) > RESYNC_S:
            self._at_s = begin_s
        else:
            self._at_s += PULL * (begin_s - self._at_s)
        begin_s = self._at_s
        self._at_s += n * period_s
        rate_hz = blocks[-1][2]
        margin_s = TAPS / rate_hz
        near = [b for b in blocks if b[0] + len(b[1]) / rate_hz > begin_s - margin_s and b[0] < self._at_s + margin_s]
        if not near or any(b[2] != rate_hz for b in near):
            return np.zeros(n, np.float32)
        # Blocks follow each other without gaps, whatever the clock of their instants says from one to the next.
        sound = np.concatenate([np.zeros(TAPS), *(b[1] for b in near), np.zeros(TAPS)]).astype(np.float32)
        first = TAPS + (begin_s - near[0][0]) * rate_hz
        step = period_s * rate_hz
        out = np.zeros((n, 1), np.float32)
        reach = TAPS // 2
        low = max(int(np.ceil((reach - first) / step)), 0)
        high = min(int(np.floor((len(sound) - reach - 1 - first) / step)) + 1, n)
        if low < high:
            kernels.read_between(sound[:, np.newaxis], first + step * low, step, self._table, out[low:high])
        return out[:, 0]


class Take:
    """One recording, written by a thread of its own.

    Args:
        path: the FLAC file; complete when `close` has returned.
        sample_rate_hz: of the piano, and of the file.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: Path, sample_rate_hz: int) -> None:
        import soundfile

        self.path = path
        self.orchestra = OrchestraTrack()
        self.failure: str | None = None
        self._rate_hz = sample_rate_hz
        self._clock = ClockModel(sample_rate_hz)
        self._samples = 0
        self._next_sample: int | None = None
        self._waiting: queue.Queue[NDArray[np.float32] | None] = queue.Queue(MAX_WAITING_BLOCKS)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._whole = WholeFile(path)
            self._file: Any = soundfile.SoundFile(self._whole.part, "w", sample_rate_hz, 2, "PCM_16", format="FLAC")
        except (OSError, soundfile.LibsndfileError) as e:
            why = getattr(e, "strerror", None) or "no permission, or the disk is full"
            raise OutputError(f"cannot record to {path}: {why}; make room, or choose another place") from e
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    @property
    def recorded_s(self) -> float:
        """Length so far."""
        return self._samples / self._rate_hz

    @property
    def full(self) -> bool:
        """Whether it must end: it is as long as can be, or cannot be written."""
        return self.failure is not None or self.recorded_s > MAX_TAKE_S

    def hear(self, block: AudioBlock) -> None:
        """Take a block of the piano; what was lost before it is silence."""
        n = len(block.samples)
        if n == 0:
            return
        if self._next_sample is not None and block.first_sample > self._next_sample:
            self._put(block.first_sample - self._next_sample, None)
        end = block.first_sample + n
        self._next_sample = end
        if block.capture_time_s is not None:
            self._clock.stamp(end, block.capture_time_s)
        orchestra: NDArray[np.float32] | None = None
        if self._clock.known:
            period_s = self._clock.stretch / self._rate_hz
            orchestra = self.orchestra.read(self._clock.time_s(block.first_sample), n, period_s)
        self._put(n, np.stack([block.samples, np.zeros(n, np.float32) if orchestra is None else orchestra], axis=1))

    def close(self) -> None:
        """Write what waits and complete the file.

        Raises:
            OutputError: it could not be written.
        """
        self._waiting.put(None)
        self._thread.join()
        if self.failure is not None:
            self._whole.__exit__(None, None, None)
            raise OutputError(f"the recording {self.path.name} could not be written: {self.failure}; make room")

    def _put(self, n: int, frames: NDArray[np.float32] | None) -> None:
        n = min(n, int(10 * self._rate_hz))
        self._samples += n
        try:
            self._waiting.put_nowait(np.zeros((n, 2), np.float32) if frames is None else frames)
        except queue.Full:
            self.failure = self.failure or "the disk is too slow"

    def _work(self) -> None:
        import soundfile

        try:
            while (frames := self._waiting.get()) is not None:
                self._file.write(frames)
            self._file.close()
            self._whole.complete()
        except (OSError, soundfile.LibsndfileError) as e:
            self.failure = getattr(e, "strerror", None) or "the disk is full"
            while self._waiting.get() is not None:
                pass
