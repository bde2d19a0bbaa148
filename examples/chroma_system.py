"""A system of your own, measured beside the program's: one file, no change to the program.

    PYTHONPATH=examples follower evaluate SCENARIO... --system live --system chroma_system:ChromaSystem

It follows the piano in the full mix by online dynamic time warping on chroma, from an unknown start, and brings what it
finds into the orchestra recording by offline warping of the two. docs/scenario-format.md says what a scenario is,
follower/evaluation/systems/contract.py what a system may take and give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import librosa
import numpy as np
from librosa.feature import chroma_stft
from librosa.sequence import dtw

from follower.evaluation.systems.contract import Estimate, Piano, Recordings
from follower.files.audio_file import read_audio

FRAMES_PER_S = 10
WINDOW_S = 0.2
RATE_HZ = 22050


class ChromaSystem:
    """Online warping on chroma.

    Args:
        frames_per_s: the argument in `--system chroma_system:ChromaSystem=20`.
    """

    def __init__(self, frames_per_s: str = str(FRAMES_PER_S)) -> None:
        self._frames_per_s = int(frames_per_s)
        self._mix: Any = None
        self._orchestra_s: Any = None

    def prepare(self, recordings: Recordings) -> None:
        """Chroma of the full mix, and where each of its frames is in the orchestra recording."""
        self._mix, orchestra = (self._chroma(path) for path in (recordings.mix, recordings.orchestra))
        _, path = dtw(orchestra, self._mix, metric="cosine")
        frames = np.arange(self._mix.shape[1])
        self._orchestra_s = np.interp(frames, path[::-1, 1], path[::-1, 0]) / self._frames_per_s

    def follow(self, piano: Piano) -> Iterator[Estimate]:
        """Take the piano block by block; every tenth of a second say where it is."""
        rate_hz = piano.sample_rate_hz
        hop, window = rate_hz // self._frames_per_s, round(WINDOW_S * rate_hz)
        cost = np.zeros(self._mix.shape[1])
        heard = np.zeros(window, np.float32)
        waiting = 0
        for block in piano.blocks():
            heard = np.append(heard, block)[-window:]
            waiting += len(block)
            if waiting < hop:
                continue
            waiting -= hop
            frame = chroma_stft(y=heard, sr=rate_hz, n_fft=window, center=False, tuning=0.0, norm=2)
            if not frame.any():
                continue
            # From the same frame, the one before or the one before that: the piano may be half or twice as fast.
            before = np.pad(cost, (2, 0), constant_values=np.inf)
            cost = np.minimum(np.minimum(before[2:], before[1:-1]), before[:-2]) + 1 - frame[:, 0] @ self._mix
            best = int(np.argmin(cost))
            yield Estimate(float(self._orchestra_s[best]))

    def _chroma(self, path: Any) -> Any:
        samples, rate_hz = read_audio(path)
        samples = librosa.resample(samples.mean(axis=1), orig_sr=rate_hz, target_sr=RATE_HZ)
        hop = RATE_HZ // self._frames_per_s
        return chroma_stft(y=samples, sr=RATE_HZ, hop_length=hop, n_fft=4096, tuning=0.0, norm=2)
