"""From the notes to a scenario folder: three performances of one piece, with exact beats.

The three recordings differ as real ones do: own tempo and rubato, instruments, tuning, room, level, sampling rate
and noise. Beats come from the very curves that place the notes, so they are exact.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from follower.demo import piece
from follower.demo.synth import (
    PianoSynth,
    PianoTimbre,
    Samples,
    StringSynth,
    StringTimbre,
    add_room,
    pink_noise,
    set_level,
)
from follower.errors import ConfigError, OutputError
from follower.files.user_folders import user_cache_folder

DEMO_VERSION: Final = 1
"""Part of the name of the user's cached copy: raise it whenever the sound or the beats change."""
DEMO_SECONDS: Final = 45.0
"""Approximate length of the whole piece in the full mix."""
SHORTEST_SECONDS: Final = 12.0

_GRID_BEATS: Final = 0.125
_TRUTH_STEP_S: Final = 0.05
_SOUNDING_PAD_S: Final = 1.0
_TAIL_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Performance:
    """Who plays one recording, and how it is recorded.

    Attributes:
        beats_per_minute: basic tempo.
        rubato: depth of the slow tempo wander, as a standard deviation of log tempo.
        ritardando: how much longer the last beat of a phrase gets, as a share.
        a4_hz: tuning.
        piano: instrument; None where only the orchestra plays.
        strings: section; None where only the piano plays.
        lead_s: room noise before the first beat (s).
        sample_rate_hz: rate of the recording.
        rt60_s: reverberation time of the room.
        wet_db: level of the room re the direct sound.
        level_db: RMS of the sounding parts re full scale.
        noise_db: pink noise floor re `level_db`.
    """

    beats_per_minute: float
    rubato: float
    ritardando: float
    a4_hz: float
    piano: PianoTimbre | None
    strings: StringTimbre | None
    lead_s: float
    sample_rate_hz: int
    rt60_s: float
    wet_db: float
    level_db: float
    noise_db: float


MIX: Final = Performance(
    beats_per_minute=97.0, rubato=0.06, ritardando=0.35, a4_hz=440.0,
    piano=PianoTimbre(brightness=1.5, hammer_position=0.13, inharmonicity=6e-4, decay_s=1.1, hammer_noise=0.25),
    strings=StringTimbre(
        players=4, rolloff=1.0, formants_hz=(300.0, 950.0, 2600.0), vibrato_hz=5.6, vibrato_cents=16.0, attack_s=0.045
    ),
    lead_s=0.5, sample_rate_hz=22050, rt60_s=1.6, wet_db=-6.0, level_db=-23.0, noise_db=-48.0,
)  # fmt: skip
ORCHESTRA: Final = Performance(
    beats_per_minute=91.0, rubato=0.05, ritardando=0.25, a4_hz=442.0,
    piano=None,
    strings=StringTimbre(
        players=3, rolloff=1.3, formants_hz=(450.0, 1300.0, 3400.0), vibrato_hz=5.0, vibrato_cents=12.0, attack_s=0.06
    ),
    lead_s=0.3, sample_rate_hz=22050, rt60_s=1.2, wet_db=-8.0, level_db=-24.0, noise_db=-50.0,
)  # fmt: skip
LIVE_PIANO: Final = Performance(
    beats_per_minute=101.0, rubato=0.08, ritardando=0.45, a4_hz=438.5,
    piano=PianoTimbre(brightness=1.2, hammer_position=0.11, inharmonicity=4e-4, decay_s=0.9, hammer_noise=0.35),
    strings=None,
    lead_s=1.2, sample_rate_hz=44100, rt60_s=0.5, wet_db=-11.0, level_db=-25.0, noise_db=-42.0,
)  # fmt: skip


class TempoCurve:
    """Score beats to seconds of one performance: piecewise linear, strictly increasing.

    Args:
        beat: shape (K,), increasing grid of beats.
        second: shape (K,), increasing seconds at those beats.
    """

    def __init__(self, beat: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        self.beat, self.second = beat, second

    def second_at(self, beat: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Seconds at which beats are played."""
        return np.asarray(np.interp(beat, self.beat, self.second), dtype=np.float64)

    def beat_at(self, second: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Beats being played at given seconds."""
        return np.asarray(np.interp(second, self.second, self.beat), dtype=np.float64)


def _seconds_per_beat(performance: Performance, beat: NDArray[np.float64], rng: np.random.Generator) -> Samples:
    """Tempo curve of a performance: shape as `beat`, seconds per beat there."""
    wander = np.zeros(len(beat))
    for period in (29.0, 17.0, 9.0):
        wander += np.sin(2.0 * np.pi * beat / (period * rng.uniform(0.85, 1.15)) + rng.uniform(0.0, 2.0 * np.pi))
    out: Samples = 60.0 / performance.beats_per_minute * np.exp(performance.rubato * wander / np.sqrt(1.5))
    for bar in piece.PHRASE_END_BARS:
        # The last two beats of a phrase broaden, the second more than the first.
        within = (beat - (bar * piece.BEATS_PER_BAR - 2.0)) / 2.0
        out *= 1.0 + performance.ritardando * np.where(within < 1.0, np.maximum(within, 0.0), 0.0) ** 1.5
    return out


def _bar_beats(first_bar: int, bars: int) -> tuple[float, float]:
    return float((first_bar - 1) * piece.BEATS_PER_BAR), float(bars * piece.BEATS_PER_BAR)


def _tempo_curve(first_bar: int, bars: int, lead_s: float, seconds_per_beat: Samples) -> TempoCurve:
    begin, end = _bar_beats(first_bar, bars)
    beat = np.arange(begin, end + 0.5 * _GRID_BEATS, _GRID_BEATS)
    return TempoCurve(beat, lead_s + np.concatenate([[0.0], np.cumsum(seconds_per_beat[:-1] * _GRID_BEATS)]))


def _tempo_curves(bars: int, rng: np.random.Generator) -> tuple[TempoCurve, TempoCurve, TempoCurve]:
    """Curves of the mix, the orchestra and the live piano.

    While the piano rests, the live pianist follows the orchestra recording: both run second for second.
    """
    begin, end = _bar_beats(1, bars)
    beat = np.arange(begin, end + 0.5 * _GRID_BEATS, _GRID_BEATS)
    mix, orchestra, live = (_seconds_per_beat(p, beat, rng) for p in (MIX, ORCHESTRA, LIVE_PIANO))
    rest_begin, rest_end = _bar_beats(*piece.PIANO_REST_BARS)
    live = np.where((beat >= rest_begin) & (beat < rest_end), orchestra, live)
    solo = beat >= _bar_beats(piece.SOLO_ENTRY_BAR, bars)[0]
    return (
        _tempo_curve(1, bars, MIX.lead_s, mix),
        _tempo_curve(1, bars, ORCHESTRA.lead_s, orchestra),
        _tempo_curve(piece.SOLO_ENTRY_BAR, bars, LIVE_PIANO.lead_s, live[solo]),
    )


def _add(track: Samples, note: Samples, begin_s: float, sample_rate_hz: int) -> None:
    i = round(begin_s * sample_rate_hz)
    n = min(len(note), len(track) - i)
    track[i : i + n] += note[:n]


def _play(
    notes: Iterable[piece.Note], curve: TempoCurve, synth: PianoSynth | StringSynth, track: Samples, rate: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add a part to a track, with a player's small unevenness in time and loudness."""
    pedal = isinstance(synth, PianoSynth)
    jitter_s = 0.004 if pedal else 0.008
    for note in notes:
        if note.start_beat < curve.beat[0] or note.start_beat >= curve.beat[-1]:
            continue
        end_beat = note.start_beat + note.beats
        if pedal and note.voice == "left":  # the right pedal changes with the harmony, every half bar
            end_beat = max(end_beat, 2.0 * (np.floor(note.start_beat / 2.0) + 1.0) - 0.05)
        begin = max(0.0, float(curve.second_at(note.start_beat)) + rng.normal(0.0, jitter_s))
        length = float(curve.second_at(end_beat) - curve.second_at(note.start_beat)) * rng.uniform(0.93, 1.0)
        loudness = float(np.clip(note.loudness + rng.normal(0.0, 0.04), 0.1, 1.0))
        _add(track, synth.note(note.midi, max(length, 0.05), loudness), begin, rate)


def _record(performance: Performance, curve: TempoCurve, bars: int, rng: np.random.Generator) -> Samples:
    """Play and record the piece; shape (n,) at the performance's rate, peak below full scale."""
    rate = performance.sample_rate_hz
    n = int((float(curve.second[-1]) + _TAIL_S) * rate)
    out = np.zeros(n)
    parts: list[tuple[tuple[piece.Voice, ...], PianoSynth | StringSynth]] = []
    if performance.piano is not None:
        parts.append((piece.PIANO, PianoSynth(performance.piano, performance.a4_hz, rate, rng)))
    if performance.strings is not None:
        parts.append((piece.STRINGS, StringSynth(performance.strings, performance.a4_hz, rate, rng)))
    for voices, synth in parts:
        track = np.zeros(n)
        for voice in voices:
            _play(piece.voice_notes(voice, bars), curve, synth, track, rate, rng)
        out += track / np.sqrt(np.mean(track**2))
    out = add_room(out, rate, performance.rt60_s, performance.wet_db, rng)
    out = set_level(out, rate, performance.level_db)
    out += pink_noise(n, rng) * 10.0 ** ((performance.level_db + performance.noise_db) / 20.0)
    limited: Samples = out * min(1.0, 0.95 / np.abs(out).max())
    return limited


def _beats_csv(curve: TempoCurve) -> str:
    beat = np.arange(curve.beat[0], curve.beat[-1] + 0.5)
    rows = [
        f"{second:.4f},{1.0 + b / piece.BEATS_PER_BAR:.4f}"
        for b, second in zip(beat, curve.second_at(beat), strict=True)
    ]
    return "\n".join(["start,measure", *rows]) + "\n"


def _sounding(voices: tuple[piece.Voice, ...], bars: int, curve: TempoCurve, second: Samples) -> NDArray[np.bool_]:
    """Whether a part has a note within a second of the given live seconds."""
    out = np.zeros(len(second), dtype=np.bool_)
    for voice in voices:
        for note in piece.voice_notes(voice, bars):
            if note.start_beat + note.beats > curve.beat[0]:
                begin, end = curve.second_at(note.start_beat), curve.second_at(note.start_beat + note.beats)
                out |= (second >= begin - _SOUNDING_PAD_S) & (second <= end + _SOUNDING_PAD_S)
    return out


def _truth_csv(mix: TempoCurve, orchestra: TempoCurve, live: TempoCurve, bars: int) -> str:
    second = np.arange(np.ceil(live.second[0] / _TRUTH_STEP_S) * _TRUTH_STEP_S, live.second[-1], _TRUTH_STEP_S)
    beat = live.beat_at(second)
    both = _sounding(piece.PIANO, bars, live, second) & _sounding(piece.STRINGS, bars, live, second)
    columns = (second, orchestra.second_at(beat), mix.second_at(beat), 1.0 + beat / piece.BEATS_PER_BAR, both)
    rows = [f"{p:.3f},{o:.4f},{po:.4f},{m:.4f},{int(b)}" for p, o, po, m, b in zip(*columns, strict=True)]
    return "\n".join(["p,o,po,measure,both", *rows]) + "\n"


def _bars_for(seconds: float) -> int:
    """Number of bars, from the first on, that last about `seconds` in the mix."""
    if not SHORTEST_SECONDS <= seconds <= DEMO_SECONDS:
        raise ConfigError(f"seconds is {seconds!r}; expected {SHORTEST_SECONDS:g} to {DEMO_SECONDS:g}")
    return min(piece.bar_count(), round(piece.bar_count() * seconds / DEMO_SECONDS))


@contextlib.contextmanager
def _output_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, soundfile.LibsndfileError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        raise OutputError(f"cannot write the demo to {folder}: {reason}; choose a folder you may write to") from e


def write_demo_scenario(folder: Path | str, *, seed: int = 1, seconds: float = DEMO_SECONDS) -> Path:
    """Synthesise the demo and write a scenario folder: p, o, po as .wav and .beats, and truth.csv.

    Args:
        folder: made where it is missing; files of the same names are replaced.
        seed: seed of tempo curves, players and rooms. The same seed gives the same files.
        seconds: how much of the piece, from its start, 12 to 45 s of the mix; rounded to whole bars.

    Returns:
        The folder.

    Raises:
        ConfigError: `seconds` is out of range.
        OutputError: the folder cannot be written.

    Example::

        folder = write_demo_scenario("demo", seconds=18)
    """
    folder = Path(folder)
    bars = _bars_for(seconds)
    mix, orchestra, live = _tempo_curves(bars, np.random.default_rng([seed, 0]))
    takes = {"po": (MIX, mix), "o": (ORCHESTRA, orchestra), "p": (LIVE_PIANO, live)}
    with _output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for i, (role, (performance, curve)) in enumerate(takes.items(), start=1):
            samples = _record(performance, curve, bars, np.random.default_rng([seed, i]))
            soundfile.write(folder / f"{role}.wav", samples, performance.sample_rate_hz, subtype="PCM_16")
            (folder / f"{role}.beats").write_text(_beats_csv(curve), encoding="utf-8")
        (folder / "truth.csv").write_text(_truth_csv(mix, orchestra, live, bars), encoding="utf-8")
    return folder


def demo_scenario(*, seed: int = 1, seconds: float = DEMO_SECONDS) -> Path:
    """The demo's scenario folder in the user's cache, synthesised on first use.

    It is written beside its final name and renamed, so that two programs starting at once both find a whole one.

    Args:
        seed: see `write_demo_scenario`.
        seconds: see `write_demo_scenario`.

    Raises:
        ConfigError: `seconds` is out of range.
        OutputError: the user's cache cannot be written.
    """
    bars = _bars_for(seconds)
    key = hashlib.sha256(repr((DEMO_VERSION, seed, bars, MIX, ORCHESTRA, LIVE_PIANO)).encode()).hexdigest()[:12]
    folder = user_cache_folder() / f"demo-{key}"
    if folder.is_dir():
        return folder
    with _output_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            write_demo_scenario(temporary, seed=seed, seconds=seconds)
            with contextlib.suppress(OSError):  # another program was faster; its copy is the same
                temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    if not folder.is_dir():
        raise OutputError(f"cannot write the demo to {folder}; set XDG_CACHE_HOME to a folder you may write to")
    return folder
