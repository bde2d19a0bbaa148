"""Windows of rendered pairs, varied anew every time: what the network is trained on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.config import AlignConfig
from offline_prep.alignment.features import LOWEST_MIDI, N_PITCHES, shape_features
from training.render import GAMMA

Array = NDArray[np.float32]

PRECISE = AlignConfig().precise
SEGMENT = 43
"""Frames of the mix between two nodes of the precise pass."""
SEGMENTS = 9
ROWS = SEGMENT * SEGMENTS
REACH = 40
"""A path may begin this many frames beside the truth."""
BEND = 16
"""And may run this many frames away from it within a segment."""
CONTEXT = 43
"""Frames of context the network looks at on either side."""
COLUMNS = 840
"""Frames of the orchestra recording in a window, context included."""
BLUR_FRAMES = 1.5
TRANSPOSED = 5
POLL_S = 1.0
"""A file that is being rendered is looked for this often."""
TRIES = 1000
"""Windows drawn before a folder is given up: they may lie at an end or be played at too different tempi."""


@dataclass(frozen=True)
class Window:
    """A stretch of a mix and where it is in the orchestra recording.

    Attributes:
        mix: levels with context on both sides, (ROWS + 2 CONTEXT, 72).
        orchestra: levels with context on both sides, (COLUMNS, 72).
        column: for each row, the frame of `orchestra` that belongs to it, context counted; (ROWS,) float32.
        onsets: for mix and orchestra, bells round the beginnings of notes of the orchestra and of the piano;
            (frames, 72, 2) each, without context.
        plain: harmony and rises of mix and orchestra, (frames, 144) each, without context.
        weight: for each of the SEGMENTS + 1 nodes, how much it counts: little where the orchestra is silent.
    """

    mix: Array
    orchestra: Array
    column: Array
    onsets: tuple[Array, Array]
    plain: tuple[Array, Array]
    weight: Array


class Pairs:
    """Rendered pairs in a folder; one window is read at a time, so memory does not grow with their number."""

    def __init__(self, files: Sequence[Path], coming: Callable[[], bool] = lambda: False) -> None:
        """A missing file is waited for while `coming` says that more are being rendered."""
        self.files = tuple(files)
        self.coming = coming

    def draw(self, rng: np.random.Generator, varied: bool = True, among: int | None = None) -> Window:
        """A random window of a random pair, with `among` of one of the first so many.

        Raises:
            FileNotFoundError: a pair is missing and did not come.
            ValueError: no window fits.
        """
        for _ in range(TRIES):
            with np.load(self._there(int(rng.integers(among or len(self.files)))), allow_pickle=False) as pair:
                column = pair["column"]
                first = int(rng.integers(CONTEXT, max(len(column) - ROWS - CONTEXT, CONTEXT + 1)))
                at = column[first : first + ROWS]
                if len(at) < ROWS:
                    continue
                lowest, highest = int(at.min()) - REACH - BEND - CONTEXT, int(at.max()) + REACH + BEND + CONTEXT + 2
                if lowest < 0 or highest > len(pair["o"]) or highest - lowest > COLUMNS:
                    continue
                begin = min(lowest, len(pair["o"]) - COLUMNS)
                if begin < 0:
                    continue
                mix = pair["po"][first - CONTEXT : first + ROWS + CONTEXT].astype(np.float32)
                orchestra = pair["o"][begin : begin + COLUMNS].astype(np.float32)
                if len(mix) < ROWS + 2 * CONTEXT:
                    continue
                notes = [pair["po_notes"], pair["o_notes"]]
            break
        else:
            raise ValueError(f"no window of {ROWS} frames fits in the pairs, such as {self.files[0]}")
        shift = int(rng.integers(-TRANSPOSED, TRANSPOSED + 1)) if varied and rng.random() < 0.6 else 0
        onsets = (
            _bells(notes[0], first, ROWS, shift),
            _bells(notes[1], begin + CONTEXT, COLUMNS - 2 * CONTEXT, shift),
        )
        if varied:
            mix, orchestra = (_moved(vary(x, rng), shift) for x in (mix, orchestra))
        played = np.sort(notes[0][notes[0][:, 2] == 0.0, 0]) - first
        node = np.arange(SEGMENTS + 1) * SEGMENT
        busy = np.searchsorted(played, node + SEGMENT) - np.searchsorted(played, node - SEGMENT)
        weight = np.where(busy > 0, 1.0, 0.1).astype(np.float32)
        plain = plain_features(mix, 0.0), plain_features(orchestra, PRECISE.softness)
        return Window(mix, orchestra, (at - begin).astype(np.float32), onsets, plain, weight)

    def _there(self, index: int) -> Path:
        while not self.files[index].exists() and self.coming():
            time.sleep(POLL_S)
        return self.files[index]


def plain_features(level: Array, softness: float) -> Array:
    """What the precise pass compares besides the network, without context: harmony and rises side by side."""
    gram = np.asarray(np.expm1(level) / GAMMA, dtype=np.float32)
    features = shape_features(gram, PRECISE.shape, softness)
    return np.concatenate([features.harmony, features.onset], axis=1)[CONTEXT:-CONTEXT]


def about(file: Path) -> dict[str, object]:
    """How a pair was made, see `render.About`."""
    with np.load(file, allow_pickle=False) as pair:
        found: dict[str, object] = json.loads(str(pair["about"]))
    return found


def vary(level: Array, rng: np.random.Generator) -> Array:
    """The same music in another colour, louder or softer, in more or less noise."""
    octaves = np.linspace(0.0, 6.0, 7)
    colour_db = np.interp(np.arange(N_PITCHES) / 12.0, octaves, rng.normal(0.0, 4.0, 7)) + rng.normal(0.0, 1.0, 72)
    gain = 10.0 ** ((colour_db + rng.normal(0.0, 3.0)) / 20.0)
    power = (np.expm1(level) * gain) ** 2
    if rng.random() < 0.5:
        floor = GAMMA * 10.0 ** (-rng.uniform(35.0, 70.0) / 20.0)
        power += floor**2 * rng.exponential(1.0, power.shape)
    return np.log1p(np.sqrt(power)).astype(np.float32)


def _moved(level: Array, semitones: int) -> Array:
    out = np.zeros_like(level)
    if semitones >= 0:
        out[:, semitones:] = level[:, : N_PITCHES - semitones]
    else:
        out[:, :semitones] = level[:, -semitones:]
    return out


def _bells(notes: Array, first: int, frames: int, shift: int) -> Array:
    """Bells of height 1 round the beginnings of notes, channel 0 the orchestra's, 1 the piano's."""
    out = np.zeros((frames, N_PITCHES, 2), dtype=np.float32)
    near = notes[(notes[:, 0] > first - 8) & (notes[:, 0] < first + frames + 8)]
    at, pitch = near[:, 0] - first, np.round(near[:, 1]).astype(np.int64) - LOWEST_MIDI + shift
    for k in range(-4, 5):
        frame = np.round(at).astype(np.int64) + k
        inside = (frame >= 0) & (frame < frames) & (pitch >= 0) & (pitch < N_PITCHES)
        height = np.exp(-0.5 * ((frame - at) / BLUR_FRAMES) ** 2).astype(np.float32)
        np.maximum.at(out, (frame[inside], pitch[inside], near[inside, 2].astype(np.int64)), height[inside])
    return out
