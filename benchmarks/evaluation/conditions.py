"""Put the live piano of given scenarios under hard conditions, each with its exact truth.

    python -m benchmarks.evaluation.conditions --scenarios PATH... --out DIR [--only NAME...]

It makes a scenario folder DIR/<scenario>--<condition> for every condition; the other recordings are links to the
originals. `follower evaluate` then measures them, and conditions_table.py prints a line per condition.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from follower.demo.synth import PianoSynth, PianoTimbre, add_room, pink_noise
from follower.errors import FollowerError, ScenarioError
from follower.evaluation.csv_columns import read_columns
from follower.evaluation.scenario import Scenario, load_scenario
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import MAX_RATE, MIN_RATE
from follower.playback.stretchers import DEFAULT_STRETCHER, make_stretcher
from offline_prep.audio import load_recording, resample

RATE_HZ = 22050
LEAD_S = 10.0
FADE_S = 0.03
STEP_S = 0.02
AIM_S = 0.1
SHORTEST_REST_S = 2.0
REST_DB = -15.0
"""Below the piano's level: noise and the room stay in a rest, notes do not."""
ENTRY_S = 1.0

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Piece:
    """A stretch of the original piano recording and where it went: new = `new_s` + (old - `begin_s`) * `stretch`."""

    begin_s: float
    end_s: float
    new_s: float
    stretch: float = 1.0


@dataclass(frozen=True)
class Take:
    """A scenario's live piano at `RATE_HZ`, its beats (2, B: second, measure) and truth columns (5, K)."""

    scenario: Scenario
    samples: Samples
    beats: NDArray[np.float64]
    truth: NDArray[np.float64]
    rng: np.random.Generator

    @property
    def duration_s(self) -> float:
        """Length (s)."""
        return len(self.samples) / RATE_HZ

    @property
    def level(self) -> float:
        """RMS of the sounding parts: 0.2 s blocks within 20 dB of the loudest."""
        power = block_power(self.samples, 0.2)
        return float(np.sqrt(np.mean(power[power > 0.01 * power.max()])))

    def room_noise(self, seconds: float) -> Samples:
        """Noise as loud as this recording's own floor, and as dark."""
        floor = float(np.sqrt(np.quantile(block_power(self.samples, 0.1), 0.02)))
        return pink_noise(max(1, int(seconds * RATE_HZ)), self.rng) * min(floor, 0.03 * self.level)


@dataclass(frozen=True)
class Variant:
    """What a condition makes of a take."""

    samples: Samples
    pieces: tuple[Piece, ...]
    sample_rate_hz: int = RATE_HZ


def block_power(samples: Samples, seconds: float) -> Samples:
    """Mean square of consecutive blocks."""
    n = int(seconds * RATE_HZ)
    return np.asarray(np.mean(samples[: len(samples) // n * n].reshape(-1, n) ** 2, axis=1), dtype=np.float64)


def whole(take: Take, samples: Samples, new_s: float = 0.0) -> Variant:
    """The whole recording, moved."""
    return Variant(samples, (Piece(0.0, take.duration_s, new_s),))


def stretched(samples: Samples, old: NDArray[np.float64], new: NDArray[np.float64]) -> Samples:
    """Time-stretch so that old second k lands at new second k; the pitch stays."""
    source = OrchestraRecording.from_samples(samples.astype(np.float32), RATE_HZ)
    stretcher = make_stretcher(DEFAULT_STRETCHER, source)
    first_rate = (old[1] - old[0]) / (new[1] - new[0])
    stretcher.start(old[0] * RATE_HZ, float(np.clip(first_rate, MIN_RATE, MAX_RATE)))
    out = []
    for at in np.arange(new[0], new[-1], STEP_S):
        # Aim where the source should be a little after what is already decided.
        decided = stretcher.committed
        ahead = at + decided.output_samples / RATE_HZ + AIM_S
        wanted = np.interp(ahead, new, old) * RATE_HZ
        rate = float(np.clip((wanted - decided.source_sample) / (AIM_S * RATE_HZ), MIN_RATE, MAX_RATE))
        out.append(stretcher.pull(round((at + STEP_S) * RATE_HZ) - round(at * RATE_HZ), rate)[:, 0])
    return np.concatenate(out).astype(np.float64)


def clean(take: Take) -> Variant:
    """The recording as it is: what the others are compared with."""
    return whole(take, take.samples)


def noise_20_db(take: Take) -> Variant:
    """Pink noise 20 dB under the piano."""
    return whole(take, take.samples + pink_noise(len(take.samples), take.rng) * take.level / 10.0)


def bleed(take: Take, level_db: float) -> Variant:
    """The orchestra recording from a loudspeaker in the same room, in time with the piano."""
    recording = load_recording(take.scenario.orchestra)
    orchestra = resample(recording.samples, recording.sample_rate_hz, RATE_HZ).astype(np.float64)
    out = np.zeros(len(take.samples))
    p, o = take.truth[:2]
    jumps = np.flatnonzero((np.diff(p) > 0.06) | (np.abs(np.diff(o)) > 0.5)) + 1
    for run in np.split(np.arange(len(p)), jumps):
        knots = run[::10] if len(run) % 10 == 1 else np.append(run[::10], run[-1])
        if o[knots[-1]] - o[knots[0]] < 0.5:
            continue  # held in a cut: the loudspeaker is silent
        part = stretched(orchestra, o[knots], p[knots])
        begin = int(p[knots[0]] * RATE_HZ)
        part = part[: len(out) - begin]
        out[begin : begin + len(part)] += part
    speaker = signal.sosfilt(signal.butter(2, (120, 8000), "bandpass", fs=RATE_HZ, output="sos"), out)
    sound = add_room(speaker, RATE_HZ, 0.6, -4.0, take.rng)
    power = block_power(sound, 0.2)
    level = np.sqrt(np.mean(power[power > 0.01 * power.max()]))
    return whole(take, take.samples + sound * take.level / level * 10.0 ** (level_db / 20.0))


def tuned(take: Take, cents: float) -> Variant:
    """The same tape run faster or slower: pitch and tempo change together, by 2.3 % at 40 cents."""
    ratio = 2.0 ** (cents / 1200.0)
    new = resample(take.samples.astype(np.float32), round(RATE_HZ * 100), round(RATE_HZ * 100 / ratio))
    return Variant(new.astype(np.float64), (Piece(0.0, take.duration_s, 0.0, 1.0 / ratio),))


def tempo(take: Take, factor: float, max_s: float) -> Variant:
    """Played `factor` times as fast, its first `max_s` seconds."""
    n = min(take.duration_s, max_s)
    part = stretched(take.samples, np.array([0.0, n]), np.array([0.0, n / factor]))
    return Variant(part, (Piece(0.0, n, 0.0, 1.0 / factor),))


def telephone(take: Take) -> Variant:
    """Sampled at 8 kHz, 300-3400 Hz, mu-law with 8 bits."""
    band = signal.sosfilt(signal.butter(4, (300, 3400), "bandpass", fs=RATE_HZ, output="sos"), take.samples)
    low = resample(band.astype(np.float32), RATE_HZ, 8000).astype(np.float64)
    low *= 0.5 / np.abs(low).max()
    companded = np.sign(low) * np.log1p(255.0 * np.abs(low)) / np.log(256.0)
    companded = np.round(companded * 127.0) / 127.0
    coded = np.sign(companded) * (256.0 ** np.abs(companded) - 1.0) / 255.0
    return Variant(coded, (Piece(0.0, take.duration_s, 0.0),), 8000)


def level_steps(take: Take) -> Variant:
    """Someone turns the gain: steps of 6 dB up and down every seven seconds."""
    second = np.arange(len(take.samples)) / RATE_HZ
    steps_db = 6.0 * np.array([0, 1, 0, -1, -2, -1])[(second // 7.0).astype(int) % 6]
    smooth = signal.lfilter([1.0], [1.0, -np.exp(-1.0 / (0.01 * RATE_HZ))], steps_db) / (0.01 * RATE_HZ)
    return whole(take, take.samples * 10.0 ** (smooth / 20.0))


def pedal_blur(take: Take) -> Variant:
    """Everything rings on for seconds, as under a held pedal in a bathroom."""
    return whole(take, add_room(take.samples, RATE_HZ, 4.0, 0.0, take.rng))


def room(take: Take, rt60_s: float, wet_db: float) -> Variant:
    """In a room that decays by 60 dB in `rt60_s`, and is so much louder at the microphone than the direct sound."""
    return whole(take, add_room(take.samples, RATE_HZ, rt60_s, wet_db, take.rng))


def mistakes(take: Take) -> Variant:
    """At 6 % of the beats nothing is struck; at another 6 % a wrong note comes in."""
    out = take.samples.copy()
    synth = PianoSynth(PianoTimbre(1.3, 0.12, 5e-4, 1.0, 0.3), 440.0, RATE_HZ, take.rng)
    for begin, end in zip(take.beats[0, :-1], take.beats[0, 1:], strict=True):
        chance = take.rng.random()
        i = int((begin - 0.02) * RATE_HZ)
        if chance < 0.06:
            n = int(min(0.6, 0.6 * (end - begin)) * RATE_HZ)
            gain = np.interp(np.arange(n), [0, 0.1 * n, 0.9 * n, n], [1.0, 0.05, 0.05, 1.0])
            out[i : i + n] *= gain[: len(out) - i]
        elif chance < 0.12:
            note = synth.note(int(take.rng.integers(55, 80)), 0.4, 0.8)[: len(out) - i]
            out[i : i + len(note)] += note * 2.0 * take.level
    return whole(take, out)


def with_lead(take: Take, lead: Samples) -> Variant:
    """Ten seconds before the recording."""
    return whole(take, np.concatenate([lead + take.room_noise(LEAD_S), take.samples]), LEAD_S)


def lead_noise(take: Take) -> Variant:
    """Page turns, steps and a chair before the start."""
    lead = np.zeros(int(LEAD_S * RATE_HZ))
    for at, band_hz, length, db in (
        (1.0, (1500, 9000), 0.5, -14), (2.6, (40, 150), 0.08, -3), (3.2, (40, 150), 0.08, -3),
        (5.5, (900, 6000), 0.25, -10), (7.8, (1500, 9000), 0.6, -14),
    ):  # fmt: skip
        n = int(length * RATE_HZ)
        burst = take.rng.standard_normal(n) * np.hanning(n)
        burst = signal.sosfilt(signal.butter(2, band_hz, "bandpass", fs=RATE_HZ, output="sos"), burst)
        lead[int(at * RATE_HZ) :][:n] += burst / np.sqrt(np.mean(burst**2)) * take.level * 10.0 ** (db / 20.0)
    return with_lead(take, lead)


def lead_applause(take: Take) -> Variant:
    """A hall claps for seven seconds, as loud as the piano."""
    n = int(LEAD_S * RATE_HZ)
    claps = np.zeros(n)
    clap = np.exp(-np.arange(int(0.02 * RATE_HZ)) / (0.003 * RATE_HZ))
    for _ in range(40):
        period, phase, level = take.rng.uniform(0.2, 0.33), take.rng.uniform(0.0, 0.3), take.rng.uniform(0.2, 1.0)
        for at in np.arange(0.5 + phase, 7.5, period):
            i = int((at + take.rng.normal(0.0, 0.02)) * RATE_HZ)
            claps[i : i + len(clap)] += level * clap * take.rng.standard_normal(len(clap))
    claps = signal.sosfilt(signal.butter(2, (500, 4500), "bandpass", fs=RATE_HZ, output="sos"), claps)
    claps *= np.interp(np.arange(n) / RATE_HZ, [0.0, 0.5, 1.5, 5.5, 8.0, LEAD_S], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    return with_lead(take, claps / np.sqrt(np.mean(claps[2 * RATE_HZ : 5 * RATE_HZ] ** 2)) * take.level)


def lead_chord(take: Take) -> Variant:
    """The pianist tries a chord of C major and an A before the start."""
    lead = np.zeros(int(LEAD_S * RATE_HZ))
    synth = PianoSynth(PianoTimbre(1.3, 0.12, 5e-4, 1.0, 0.3), 440.0, RATE_HZ, take.rng)
    for at, midi in ((2.0, 48), (2.0, 55), (2.0, 64), (2.0, 72), (5.0, 69)):
        note = synth.note(midi, 1.6, 0.7)
        lead[int(at * RATE_HZ) :][: len(note)] += note
    return with_lead(take, lead / np.sqrt(np.mean(lead[2 * RATE_HZ : 3 * RATE_HZ] ** 2)) * take.level)


def faded(take: Take, begin_s: float, end_s: float) -> Samples:
    """A part of the recording with short fades at its ends."""
    part = take.samples[int(begin_s * RATE_HZ) : int(end_s * RATE_HZ)].copy()
    n = int(FADE_S * RATE_HZ)
    ramp = np.linspace(0.0, 1.0, n)
    if begin_s > 0:
        part[:n] *= ramp
    if end_s < take.duration_s:
        part[-n:] *= ramp[::-1]
    return part


def joined(take: Take, parts: list[tuple[float, float]], gap_s: float) -> Variant:
    """Parts (begin and end in the recording, just before a beat) one after the other, with room noise between."""
    samples: list[Samples] = []
    pieces: list[Piece] = []
    at = 0
    for begin, end in parts:
        if pieces:
            samples.append(take.room_noise(gap_s))
            at += len(samples[-1])
        pieces.append(Piece(begin, end, at / RATE_HZ))
        samples.append(faded(take, begin, end))
        at += len(samples[-1])
    return Variant(np.concatenate(samples), tuple(pieces))


def before_beat(take: Take, index: int) -> float:
    """A cut point just before a beat's notes."""
    return float(take.beats[0, index] - 0.04)


def phrase_gap(take: Take) -> int:
    """Index of the beat in the middle third before which the piano is quietest: the likeliest end of a phrase."""
    second = take.beats[0]
    inside = np.flatnonzero((second > 0.35 * take.duration_s) & (second < 0.65 * take.duration_s))
    power = [np.mean(take.samples[int((s - 0.25) * RATE_HZ) : int((s - 0.04) * RATE_HZ)] ** 2) for s in second[inside]]
    return int(inside[np.argmin(power)])


def bar_starts(take: Take) -> NDArray[np.int64]:
    """Indices of the beats that begin a bar."""
    return np.flatnonzero(np.abs(take.beats[1] - np.round(take.beats[1])) < 1e-3)


def pause(take: Take, seconds: float) -> Variant:
    """The pianist stops at the end of a phrase."""
    x = before_beat(take, phrase_gap(take))
    return joined(take, [(0.0, x), (x, take.duration_s)], seconds)


def jump(take: Take, bars: int, gap_s: float) -> Variant:
    """From a bar line past the middle the pianist goes back (bars < 0) or ahead, or as far as there is music."""
    starts = bar_starts(take)
    share = 0.6 if bars < 0 else 0.4
    at = int(np.argmin(np.abs(take.beats[0, starts] - share * take.duration_s)))
    to = int(np.clip(at + bars, 0, len(starts) - 4))
    x, y = before_beat(take, int(starts[at])), max(0.0, before_beat(take, int(starts[to])))
    return joined(take, [(0.0, x), (y, take.duration_s)], gap_s)


def rests(truth: NDArray[np.float64], samples: Samples, rate_hz: int) -> list[tuple[float, float]]:
    """Begin and end (s) of the orchestra's passages in which the live piano is silent, from truth columns (5, K)."""
    p, alone = truth[0], truth[4] == 0
    edges = np.flatnonzero((np.diff(alone.astype(int)) != 0) | (np.diff(p) > 0.1)) + 1
    power = np.convolve(samples**2, np.ones(rate_hz // 5) / (rate_hz // 5), "same")[:: rate_hz // 100]
    level = np.mean(power[power > 0.01 * power.max()])
    out = []
    for rows in np.split(np.arange(len(p)), edges):
        begin, end = float(p[rows[0]]), float(p[rows[-1]])
        if not alone[rows[0]] or end - begin < SHORTEST_REST_S:
            continue
        if np.median(power[int(100 * begin) : int(100 * end)]) < 10 ** (REST_DB / 10) * level:
            out.append((begin, end))
    return out


def entry(take: Take, late_s: float) -> Variant | None:
    """After the longest rest the pianist enters late, or early (below 0); None where there is no rest long enough."""
    found = rests(take.truth, take.samples, RATE_HZ)
    if not found:
        return None
    begin, end = max(found, key=lambda rest: rest[1] - rest[0])
    # The last and the first notes ring and begin low_jitter; the truth in between is stretched.
    begin, end = begin + 0.5, end - 0.2
    if end - begin < 3.0 * ENTRY_S:
        return None
    middle = (begin + end) / 2
    silence = take.room_noise(late_s) if late_s > 0 else np.zeros(0)
    parts = faded(take, 0.0, middle), silence, faded(take, middle - min(late_s, 0.0), take.duration_s)
    length_s = end - begin + late_s
    pieces = (
        Piece(0.0, begin, 0.0),
        Piece(begin, end, begin, length_s / (end - begin)),
        Piece(end, take.duration_s, begin + length_s),
    )
    return Variant(np.concatenate(parts), pieces)


def start_at_zero(take: Take) -> Variant:
    """The first note comes with the first sample."""
    return joined(take, [(max(0.0, before_beat(take, 0)), take.duration_s)], 0.0)


def start_sounding(take: Take) -> Variant:
    """The microphone is opened while the piano already plays, between two beats."""
    return joined(take, [(float(take.beats[0, 0]) + 4.3, take.duration_s)], 0.0)


CONDITIONS: dict[str, Callable[[Take], Variant | None]] = {
    "clean": clean,
    "noise-20dB": noise_20_db,
    "bleed-15dB": lambda t: bleed(t, -15.0),
    "bleed-3dB": lambda t: bleed(t, -3.0),
    "tuning+40": lambda t: tuned(t, 40.0),
    "tuning-40": lambda t: tuned(t, -40.0),
    "tempo-half": lambda t: tempo(t, 0.5, 40.0),
    "tempo-double": lambda t: tempo(t, 2.0, 1e9),
    "telephone": telephone,
    "room": lambda t: room(t, 0.8, 0.0),
    "hall": lambda t: room(t, 2.4, 3.0),
    "level-steps": level_steps,
    "pedal-blur": pedal_blur,
    "mistakes": mistakes,
    "lead-noise": lead_noise,
    "lead-applause": lead_applause,
    "lead-chord": lead_chord,
    "pause-1s": lambda t: pause(t, 1.0),
    "pause-5s": lambda t: pause(t, 5.0),
    "pause-20s": lambda t: pause(t, 20.0),
    "pause-60s": lambda t: pause(t, 60.0),
    "repeat-4": lambda t: jump(t, -4, 1.0),
    "repeat-16": lambda t: jump(t, -16, 1.0),
    "skip-4": lambda t: jump(t, 4, 0.3),
    "skip-16": lambda t: jump(t, 16, 0.3),
    "entry-on-time": lambda t: entry(t, 0.0),
    "entry-early": lambda t: entry(t, -ENTRY_S),
    "entry-late": lambda t: entry(t, ENTRY_S),
    "start-at-zero": start_at_zero,
    "start-sounding": start_sounding,
}


def moved(columns: NDArray[np.float64], pieces: tuple[Piece, ...]) -> NDArray[np.float64]:
    """Rows (first column: seconds in the old recording) as they come in the new one, shape (C, K')."""
    out = []
    for piece in pieces:
        inside = columns[:, (columns[0] >= piece.begin_s) & (columns[0] < piece.end_s)].copy()
        inside[0] = piece.new_s + (inside[0] - piece.begin_s) * piece.stretch
        out.append(inside)
    return np.concatenate(out, axis=1)


def write_variant(take: Take, name: str, variant: Variant, out: Path) -> Path:
    """Write the scenario folder of a variant; an existing one is filled anew."""
    source = take.scenario.folder.resolve()
    folder = out / f"{take.scenario.name}--{name}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        link = folder / file.name
        if file.stem in ("o", "po", "po_piano", "po_orchestra") and not link.exists():
            link.symlink_to(file)
    peak = float(np.abs(variant.samples).max())
    samples = variant.samples * min(1.0, 0.98 / peak)
    soundfile.write(folder / "p.flac", samples, variant.sample_rate_hz, subtype="PCM_16")
    beats, truth = moved(take.beats, variant.pieces), moved(take.truth, variant.pieces)
    np.savetxt(folder / "p.beats", beats.T, "%.4f", ",", header="start,measure", comments="")
    np.savetxt(
        folder / "truth.csv", truth.T, ("%.4f", "%.4f", "%.4f", "%.4f", "%d"), ",", header="p,o,po,measure,both",
        comments="",
    )  # fmt: skip
    events = [
        {"p": [a.new_s + (a.end_s - a.begin_s) * a.stretch, b.new_s]}
        for a, b in zip(variant.pieces, variant.pieces[1:], strict=False)
    ]
    document = {"base": take.scenario.name, "condition": name, "breaks": events}
    (folder / "scenario.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return folder


def load_take(folder: Path, condition: str) -> Take:
    scenario = load_scenario(folder)
    recording = load_recording(scenario.piano)
    samples = resample(recording.samples, recording.sample_rate_hz, RATE_HZ).astype(np.float64)
    beats = np.array(read_columns(folder / "p.beats", ("start", "measure")))
    truth = np.array(read_columns(folder / "truth.csv", ("p", "o", "po", "measure", "both")))
    rng = np.random.default_rng(zlib.crc32(f"{scenario.name}/{condition}".encode()))
    return Take(scenario, samples, beats, truth, rng)


def write(scenarios: list[Path], out: Path, names: list[str]) -> None:
    unknown = sorted(set(names) - set(CONDITIONS))
    if unknown:
        raise ScenarioError(f"unknown conditions {unknown}; choose from {', '.join(CONDITIONS)}")
    for folder in scenarios:
        for name in names:
            take = load_take(folder, name)
            variant = CONDITIONS[name](take)
            if variant is None:
                print(f"{take.scenario.name} has no spot for {name}", file=sys.stderr)
                continue
            print(write_variant(take, name, variant, out), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=Path, nargs="+", required=True, metavar="PATH")
    parser.add_argument("--out", type=Path, default=Path("conditions"), metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="CONDITION", help=f"of {', '.join(CONDITIONS)}")
    args = parser.parse_args()
    try:
        write(args.scenarios, args.out, args.only or list(CONDITIONS))
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
