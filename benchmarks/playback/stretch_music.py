"""Compare time stretchers on music, with a reference no stretcher has touched.

    python -m benchmarks.playback.stretch_music [--stretcher NAME ...] [--record]

The demo's musicians play the same notes twice: once at their own tempo, once with the tempo changes asked of the
stretcher. The second is what a perfect stretcher would make of the first, up to the room. Of each stretcher's output
against it:

- spectrum: mean distance of the levels of 48 mel bands in frames of 46 ms (dB), bands 45 dB under the loudest left out;
- attacks: how far the level rises from 30 ms before a note to 15 ms after, mean shortfall against the reference (dB);
- roughness: power of the 20..70 Hz modulation of the mel bands, beyond the reference's (dB);
- dips: share of 50 ms frames more than 6 dB under the reference (%).

"other take" is the reference played again with other random unevenness: to a listener the same.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import stft

from benchmarks.results import Row, add_option, print_rows, record
from follower.demo import render as demo
from follower.demo.piece import PIANO, STRINGS, voice_notes
from follower.playback.recording import OrchestraRecording
from follower.playback.stretchers import STRETCHERS, make_stretcher

Samples = NDArray[np.float64]
BARS: Final = 8
QUANTUM: Final = 256
RATE_HZ: Final = 44100
FRAME: Final = 2048
HOP: Final = 512
MODULATION_HOP: Final = 128
GLIDES: Final = {
    "0.8": (0.8, 0.0, 1.0),
    "1.25": (1.25, 0.0, 1.0),
    "0.7-1.3 in 5 s": (1.0, 0.3, 10.0),
    "0.85-1.15 in 1 s": (1.0, 0.15, 2.0),
}
"""Middle rate, swing, period (s)."""
FIGURES: Final = ("spectrum_db", "attacks_db", "roughness_db", "dips_pct")
"""What `compare` returns."""


def position_after(second: Samples, glide: tuple[float, float, float]) -> Samples:
    """Source seconds played after so many output seconds: the integral of the rate."""
    middle, swing, period_s = glide
    turn = 2 * np.pi / period_s
    return np.asarray(middle * second + swing / turn * (1 - np.cos(turn * second)))


def mel_levels(x: Samples, hop: int, frame: int = FRAME) -> Samples:
    """Level of 48 mel bands (dB), shape (48, frames)."""
    _, _, spectrum = stft(x, RATE_HZ, nperseg=frame, noverlap=frame - hop, boundary=None, padded=False)
    bins = np.fft.rfftfreq(frame, 1 / RATE_HZ)
    edges = 700 * (10 ** (np.linspace(np.log10(1 + 80 / 700), np.log10(1 + 9000 / 700), 50)) - 1)
    rise = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    weights = np.clip(np.minimum(rise, fall), 0, None)
    return np.asarray(10 * np.log10(weights @ np.abs(spectrum) ** 2 + 1e-14))


def roughness_db(x: Samples, active_db: float) -> float:
    """Level of the 20..70 Hz modulation of the mel bands that sound (dB re 1 dB)."""
    levels = mel_levels(x, MODULATION_HOP, 1024)
    rate_hz = RATE_HZ / MODULATION_HOP
    spectrum = np.abs(np.fft.rfft((levels - levels.mean(axis=1, keepdims=True)) * np.hanning(levels.shape[1]))) ** 2
    found_hz = np.fft.rfftfreq(levels.shape[1], 1 / rate_hz)
    sounding = levels.mean(axis=1) > active_db
    return float(10 * np.log10(spectrum[sounding][:, (found_hz >= 20) & (found_hz <= 70)].mean()))


def rises_db(x: Samples, onset_s: Samples) -> Samples:
    """Rise of the high-passed level from 30..5 ms before each onset to the loudest 5 ms of the 25 ms after it."""
    power = np.convolve(np.diff(x) ** 2, np.ones(220) / 220, "same")
    at = np.round(onset_s * RATE_HZ).astype(int)
    at = at[(at > 2000) & (at < len(power) - 2000)]
    before = np.array([power[a - 1320 : a - 220].mean() for a in at])
    after = np.array([power[a - 110 : a + 1100].max() for a in at])
    return np.asarray(10 * np.log10((after + 1e-12) / (before + 1e-12)))


def compare(out: Samples, reference: Samples, onset_s: Samples) -> tuple[float, float, float, float]:
    """Spectrum, attacks, roughness, dips, as the module's docstring says."""
    n = min(len(out), len(reference))
    out, reference = out[:n], reference[:n]
    ours, theirs = mel_levels(out, HOP), mel_levels(reference, HOP)
    sounding = theirs > theirs.max() - 45
    spectrum = float(np.abs(ours - theirs)[sounding].mean())
    shortfall = float(np.mean(rises_db(reference, onset_s) - rises_db(out, onset_s)))
    active_db = float(theirs.max()) - 45
    rough = roughness_db(out, active_db) - roughness_db(reference, active_db)
    frames = [np.add.reduceat(x**2, np.arange(0, n, RATE_HZ // 20)) for x in (out, reference)]
    loud = frames[1] > 1e-3 * frames[1].max()
    dips = float(100 * np.mean(10 * np.log10((frames[0][loud] + 1e-12) / frames[1][loud]) < -6))
    return spectrum, shortfall, rough, dips


def stretched(x: Samples, name: str, glide: tuple[float, float, float], seconds: float) -> Samples:
    """The first so many output seconds of `x` played by a stretcher along a rate curve."""
    recording = OrchestraRecording.from_samples(x.astype(np.float32), RATE_HZ)
    stretcher = make_stretcher(name, recording)
    stretcher.start(0.0, glide[0])
    parts = []
    for n in range(0, round(seconds * RATE_HZ), QUANTUM):
        # Aim at the position the curve has where this quantum's decision is heard, as the player does.
        committed = stretcher.committed
        heard_s = (n + committed.output_samples) / RATE_HZ
        ahead_s = 0.05
        goal = float(position_after(np.float64(heard_s + ahead_s), glide)) * RATE_HZ  # type: ignore[arg-type]
        rate = (goal - committed.source_sample) / (ahead_s * RATE_HZ)
        parts.append(stretcher.pull(QUANTUM, float(np.clip(rate, 0.4, 2.5)))[:, 0])
    return np.concatenate(parts).astype(np.float64)


def measure(names: list[str]) -> list[Row]:
    """A row for each performance, rate curve and stretcher, and for another take of the reference."""
    rows: list[Row] = []
    for label, performance, voices in (("strings", demo.ORCHESTRA, STRINGS), ("tutti", demo.MIX, (*PIANO, *STRINGS))):
        performance = replace(performance, sample_rate_hz=RATE_HZ)
        _, curve, _ = demo._tempo_curves(BARS, np.random.default_rng([1, 0]))
        source = demo._record(performance, curve, BARS, np.random.default_rng([1, 1]))
        for rate_label, glide in GLIDES.items():
            grid = np.linspace(0, 4 * curve.second[-1], 200_000)
            moved = demo.TempoCurve(curve.beat, np.interp(curve.second, position_after(grid, glide), grid))
            reference = demo._record(performance, moved, BARS, np.random.default_rng([1, 1]))
            other = demo._record(performance, moved, BARS, np.random.default_rng([1, 2]))
            beats = np.unique([n.start_beat for voice in voices for n in voice_notes(voice, BARS)])
            onset_s = moved.second_at(beats[(beats >= curve.beat[0]) & (beats < curve.beat[-1])])
            outputs = {name: stretched(source, name, glide, float(moved.second[-1])) for name in names}
            for name, out in {**outputs, "other take": other}.items():
                figures = dict(zip(FIGURES, compare(out, reference[: len(out)], onset_s), strict=True))
                rows.append(
                    {"music": label, "rate": rate_label, "what": name}
                    | {key: round(value, 2) for key, value in figures.items()}
                )
    return rows


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stretcher", action="append", choices=tuple(STRETCHERS))
    add_option(parser)
    args = parser.parse_args()
    rows = measure(args.stretcher or list(STRETCHERS))
    print_rows(rows)
    if args.record:
        record("stretch_music", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
