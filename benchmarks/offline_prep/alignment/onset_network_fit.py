"""Train the small network of the PO-O map's precise pass (`offline_prep/alignment/onset_network.py`).

    python -m benchmarks.offline_prep.alignment.onset_network_fit FOLDER...
        --out offline_prep/alignment/onset_network.npz [--leave-out PATTERN[,PATTERN]]

A FOLDER is a rendered pair: `o.*` and `po.*` (audio), `o.beats` and `po.beats` (CSV `start,measure`) and, where the
notes are known, `notes.npz` with arrays `o`, `po_orch` and `po_piano` of rows (onset s, end s, MIDI pitch, ...).  Two
stages:

1. Notes: the first channel learns at which cells of the pitchgram a note begins (folders with `notes.npz`).
2. Alignment: 2 s windows of a mix are compared with the orchestra recording at their true position and up to 0.5 s
   beside it; the similarity of the precise pass, summed over the window, its halves and its quarters, is taken for the
   log odds of each shift, and the network learns to make the true one likely (all folders; only the beats are needed).

With --leave-out the folders whose names match are not trained on, and their stage 2 loss is printed: that of chance is
3.81.  The same folders give the same weights (seeded; NumPy on one thread).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from benchmarks.offline_prep.alignment.map_ablation import DEFAULT
from follower.evaluation.csv_columns import read_columns
from follower.files.find import find_audio
from offline_prep.alignment.features import (
    HOP_S,
    LOWEST_MIDI,
    N_PITCHES,
    SAMPLE_RATE_HZ,
    compress,
    estimate_tuning,
    pitchgram,
    shape_features,
)
from offline_prep.alignment.onset_network import BIN_EDGES, GAMMA, LAYERS, N_INPUTS, READING, contexts
from offline_prep.audio import load_recording, resample

Array = NDArray[np.float32]
Weights = list[Array]
"""weight 1, bias 1, weight 2, ..."""

SEED = 0
HIDDEN, CHANNELS = (32, 16), 2
CELLS_PER_FOLDER = 12000
BLUR_FRAMES = 1.5
"""A note's target is a bell of this standard deviation round its onset."""
NOTE_STEPS, NOTE_BATCH, NOTE_RATE = 8000, 1024, 3e-3
ROWS, COLUMNS = 172, 400
"""Frames of the mix and of the orchestra recording in a window of stage 2."""
SHIFTS = np.arange(-44, 45, 2)
SHIFT_BLUR = 3.0
WINDOWS, WINDOW_STEPS, WINDOW_RATE = 6, 700, 1e-3
OVER_SHARPNESS = 3.0
"""The precise pass takes similarities for this much more than the log odds they are trained to be."""


@dataclass(frozen=True)
class Pair:
    """One folder, measured.

    Attributes:
        level: of "o" and "po", (frames, 72).
        fixed: harmony and onset features of "o" and "po" side by side, (frames, 144).
        row: frames of the mix between common beats of a sane tempo.
        column: their true positions in the orchestra recording, in frames.
        notes: onset seconds and pitch of "o" and "po", (notes, 2); empty where unknown.
    """

    level: dict[str, Array]
    fixed: dict[str, Array]
    row: NDArray[np.int64]
    column: NDArray[np.float64]
    notes: dict[str, NDArray[np.float64]]


def measure(folder: Path) -> Pair:
    """Read and analyse a folder."""
    stage = DEFAULT.precise
    level, fixed = {}, {}
    for role in ("o", "po"):
        recording = load_recording(find_audio(folder, role))
        samples = resample(recording.samples, recording.sample_rate_hz, SAMPLE_RATE_HZ)
        gram = pitchgram(samples, estimate_tuning(samples))
        level[role] = compress(gram, GAMMA)
        features = shape_features(gram, stage.shape, stage.softness if role == "o" else 0.0)
        fixed[role] = np.concatenate([features.harmony, features.onset], axis=1)
    bar_starts = []
    for role in ("po", "o"):
        start, bar = read_columns(folder / f"{role}.beats", ("start", "measure"))
        bar_starts.append(dict(zip(np.round(bar, 3).tolist(), start.tolist(), strict=True)))
    mix_s, orchestra_s = np.array([(s, bar_starts[1][m]) for m, s in bar_starts[0].items() if m in bar_starts[1]]).T
    row = np.arange(int(mix_s[0] / HOP_S) + 1, int(mix_s[-1] / HOP_S) - 1)
    slope = (np.diff(orchestra_s) / np.diff(mix_s))[np.searchsorted(mix_s, row * HOP_S, side="right") - 1]
    sane = (slope > 0.3) & (slope < 3.0)
    row = row[sane]
    notes = {"o": np.empty((0, 2)), "po": np.empty((0, 2))}
    if (folder / "notes.npz").is_file():
        with np.load(folder / "notes.npz", allow_pickle=False) as z:
            notes = {"o": z["o"][:, [0, 2]], "po": np.concatenate([z["po_piano"], z["po_orch"]])[:, [0, 2]]}
    return Pair(level, fixed, row, np.interp(row * HOP_S, mix_s, orchestra_s) / HOP_S, notes)


def note_target(notes: NDArray[np.float64], frames: int) -> Array:
    """Bells round the onsets, (frames, 72)."""
    target = np.zeros((frames, N_PITCHES), dtype=np.float32)
    at, pitch = notes[:, 0] / HOP_S, np.round(notes[:, 1]).astype(np.int64) - LOWEST_MIDI
    for k in range(-5, 6):
        frame = np.round(at).astype(np.int64) + k
        inside = (frame >= 0) & (frame < frames) & (pitch >= 0) & (pitch < N_PITCHES)
        height = np.exp(-0.5 * ((frame - at) / BLUR_FRAMES) ** 2).astype(np.float32)
        np.maximum.at(target, (frame[inside], pitch[inside]), height[inside])
    return target


def note_cells(pair: Pair, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """Inputs and targets of cells of both recordings, half of them where notes begin, half anywhere loud."""
    share = CELLS_PER_FOLDER // 4
    for role in ("o", "po"):
        level = pair.level[role]
        target = note_target(pair.notes[role], len(level)).ravel()
        struck = rng.permutation(np.flatnonzero(target > 0.05))[:share]
        loud = rng.permutation(np.flatnonzero(level.ravel() > np.median(level)))[:share]
        cells = np.sort(np.concatenate([struck, loud]))
        first = 0
        for inputs in contexts(level):
            here = cells[(cells >= first) & (cells < first + len(inputs))]
            yield inputs[here - first], target[here]
            first += len(inputs)


def start(rng: np.random.Generator) -> Weights:
    """Random weights."""
    sizes = (N_INPUTS, *HIDDEN, CHANNELS)
    out: Weights = []
    for a, b in pairwise(sizes):
        out += [(rng.standard_normal((a, b)) * np.sqrt(2.0 / a)).astype(np.float32), np.zeros(b, dtype=np.float32)]
    out[-2][:, 1:] *= 0.2
    out[-1][1:] = -2.0
    return out


def forward(weights: Weights, inputs: Array) -> list[Array]:
    """Inputs, outputs of the hidden layers, and the last layer's before the logistic function."""
    seen = [inputs]
    for k in range(0, len(weights), 2):
        out = seen[-1] @ weights[k] + weights[k + 1]
        seen.append(np.maximum(out, np.float32(0.0)) if k < len(weights) - 2 else out)
    return seen


def backward(weights: Weights, seen: list[Array], slope: Array) -> Weights:
    """Gradients of a loss by the weights, given by the last of `forward`."""
    out: Weights = []
    for k in range(len(weights) - 2, -1, -2):
        out = [seen[k // 2].T @ slope, slope.sum(axis=0), *out]
        if k:
            slope = (slope @ weights[k].T) * (seen[k // 2] > 0.0)
    return out


class Adam:
    """Adaptive steps whose size falls from `rate` to 0 along a cosine; gradients longer than 1 are shortened to 1."""

    def __init__(self, weights: Weights, rate: float, steps: int, memory: float) -> None:
        self.weights, self.rate, self.steps, self.memory = weights, rate, steps, memory
        self.mean = [np.zeros_like(w) for w in weights]
        self.power = [np.zeros_like(w) for w in weights]
        self.done = 0

    def step(self, gradient: Weights) -> None:
        """Move the weights, in place."""
        self.done += 1
        warm = min(1.0, self.done / 30) * (0.5 + 0.5 * np.cos(np.pi * (self.done - 1) / self.steps))
        scale = min(1.0, 1.0 / float(np.sqrt(sum(float((g**2).sum()) for g in gradient))))
        for w, m, v, g in zip(self.weights, self.mean, self.power, gradient, strict=True):
            m += 0.1 * (g * scale - m)
            v += (1.0 - self.memory) * ((g * scale) ** 2 - v)
            size = m / (1.0 - 0.9**self.done) / (np.sqrt(v / (1.0 - self.memory**self.done)) + 1e-8)
            w -= np.float32(self.rate * warm) * size.astype(np.float32)


def learn_notes(pairs: list[Pair], rng: np.random.Generator) -> Weights:
    """Stage 1."""
    cells = [c for p in pairs if len(p.notes["o"]) for c in note_cells(p, rng)]
    inputs, target = (np.concatenate([c[side] for c in cells]) for side in (0, 1))
    weights = start(rng)
    adam = Adam(weights, NOTE_RATE, NOTE_STEPS, 0.999)
    for _ in range(NOTE_STEPS):
        some = rng.integers(0, len(inputs), NOTE_BATCH)
        seen = forward(weights, inputs[some])
        slope = np.zeros_like(seen[-1])
        slope[:, 0] = (expit(seen[-1][:, 0]) - target[some]) / NOTE_BATCH
        adam.step(backward(weights, seen, slope))
    return weights


def window_inputs(level: Array, begin: int, count: int) -> Array:
    """Network inputs of `count` frames from `begin` on."""
    before = min(begin, -BIN_EDGES[0])
    piece = np.concatenate(list(contexts(level[begin - before : begin + count + BIN_EDGES[-1]])))
    return piece[before * N_PITCHES : (before + count) * N_PITCHES]


def draw_window(pair: Pair, rng: np.random.Generator) -> tuple[slice, slice, NDArray[np.int64]]:
    """Frames of the mix, of the orchestra recording, and the former's positions among the latter, -1 where unknown."""
    while True:
        begin = int(pair.row[rng.integers(0, len(pair.row))])
        known = (pair.row >= begin) & (pair.row < begin + ROWS)
        first = int(pair.column[known].mean()) - COLUMNS // 2
        fits = begin + ROWS <= len(pair.level["po"]) and first >= 0 and first + COLUMNS <= len(pair.level["o"])
        if fits and known.sum() > 0.9 * ROWS:
            break
    column = np.full(ROWS, -1)
    column[pair.row[known] - begin] = np.round(pair.column[known]).astype(np.int64) - first
    column[(column + SHIFTS[0] < 0) | (column + SHIFTS[-1] >= COLUMNS)] = -1
    return slice(begin, begin + ROWS), slice(first, first + COLUMNS), column


def window_loss(pair: Pair, weights: Weights, rng: np.random.Generator) -> tuple[float, Weights]:
    """Stage 2's loss of one window drawn at random, and its gradient."""
    config = DEFAULT.precise_weights
    rows, columns, column = draw_window(pair, rng)
    scale = np.repeat(np.array([config.harmony, config.onset], dtype=np.float32), N_PITCHES) / OVER_SHARPNESS
    weight_of_onsets = np.float32(config.network / OVER_SHARPNESS)
    seen = {
        "po": forward(weights, window_inputs(pair.level["po"], rows.start, ROWS)),
        "o": forward(weights, window_inputs(pair.level["o"], columns.start, COLUMNS)),
    }
    attack = {role: expit(s[-1]).reshape(-1, N_PITCHES * CHANNELS) for role, s in seen.items()}
    similarity = (
        weight_of_onsets * attack["po"] @ attack["o"].T + (pair.fixed["po"][rows] * scale) @ pair.fixed["o"][columns].T
    )
    known = column >= 0
    at = np.where(known, column, -SHIFTS[0])[:, None] + SHIFTS
    profile = np.take_along_axis(similarity, at, axis=1) * known[:, None]
    target = softmax(-0.5 * (SHIFTS / SHIFT_BLUR) ** 2)
    loss, slope = 0.0, np.zeros_like(profile)
    for parts in (1, 2, 4):
        odds = profile.reshape(parts, -1, len(SHIFTS)).sum(axis=1)
        weight = known.reshape(parts, -1).mean(axis=1) / (3 * parts)
        loss -= float(weight @ (log_softmax(odds, axis=1) @ target))
        slope += np.repeat((softmax(odds, axis=1) - target) * weight[:, None], ROWS // parts, axis=0)
    by_similarity = np.zeros_like(similarity)
    np.put_along_axis(by_similarity, at, (slope * known[:, None]).astype(np.float32), axis=1)
    by_attack = {
        "po": weight_of_onsets * by_similarity @ attack["o"],
        "o": weight_of_onsets * by_similarity.T @ attack["po"],
    }
    parts_of = [
        backward(weights, seen[r], (by_attack[r] * attack[r] * (1.0 - attack[r])).reshape(-1, CHANNELS)) for r in seen
    ]
    return loss, [a + b for a, b in zip(*parts_of, strict=True)]


def learn_alignment(pairs: list[Pair], weights: Weights, rng: np.random.Generator) -> None:
    """Stage 2: move the weights, in place."""
    adam = Adam(weights, WINDOW_RATE, WINDOW_STEPS, 0.99)
    losses = []
    for k in range(WINDOW_STEPS):
        drawn = [window_loss(pairs[rng.integers(0, len(pairs))], weights, rng) for _ in range(WINDOWS)]
        losses.append(np.mean([loss for loss, _ in drawn]))
        adam.step([np.mean(g, axis=0) for g in zip(*(gradient for _, gradient in drawn), strict=True)])
        if (k + 1) % 100 == 0:
            print(f"step {k + 1}: loss {np.mean(losses[-100:]):.4f}", file=sys.stderr, flush=True)


def mean_loss(pairs: list[Pair], weights: Weights, windows: int = 180) -> float:
    """Stage 2's loss over windows drawn from the pairs."""
    rng = np.random.default_rng(SEED + 1)
    return float(np.mean([window_loss(pairs[rng.integers(0, len(pairs))], weights, rng)[0] for _ in range(windows)]))


def main() -> None:
    """Measure, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--leave-out", default="", metavar="PATTERN[,PATTERN]")
    args = parser.parse_args()
    seen: list[Pair] = []
    unseen: list[Pair] = []
    for folder in args.folders:
        left_out = any(fnmatch(folder.name, p) for p in args.leave_out.split(","))
        (unseen if left_out else seen).append(measure(folder))
    print(f"{len(seen)} pairs to train on, {len(unseen)} left out", file=sys.stderr, flush=True)
    rng = np.random.default_rng(SEED)
    weights = learn_notes(seen, rng)
    print(f"after the notes: loss {mean_loss(unseen or seen, weights):.4f}", file=sys.stderr, flush=True)
    learn_alignment(seen, weights, rng)
    with args.out.open("wb") as file:
        np.savez(file, allow_pickle=False, reading=READING, **dict(zip(LAYERS, weights, strict=True)))
    for name, pairs in (("trained on", seen), ("left out", unseen)):
        if pairs:
            print(f"{name}: loss {mean_loss(pairs, weights):.4f}")


if __name__ == "__main__":
    main()
