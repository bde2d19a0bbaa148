"""Pairs for the live network: a piano alone, and a full mix of the same work, with the exact map between them.

A pair is a file `NNNNN.npz`: `live` and `mix`, the semitone amplitudes of `follower.signal.features` as float16
logarithms; `live_s` and `mix_s`, the same instants of the music in both; `struck_s`, the beginnings of the live piano's
notes; and `about`, JSON.  Pair N is the same whenever it is made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.signal.features import FeatureStream
from training.arrangement import Arrangement, arrange
from training.live import sampled_piano
from training.render import FONT_WEIGHTS, Work, draw_excerpt
from training.score import Part
from training.sound import SAMPLE_RATE_HZ, Samples, Voice, coloured, in_room, loudness, recorded, synthesise
from training.timing import perform, time_map

SEED = 29
EXCERPT_S = 45.0
FEWEST_NOTES = 60
"""Of the piano."""
TAIL_S = 1.0
PIANOS = (0, 0, 0, 1, 2)
REDUCED = 0.45
"""Share of the orchestral works that are played by the piano as a reduction of some parts."""
DOUBLED = 0.4
"""Share of those in which the orchestra plays these parts, too."""
SALAMANDER = "salamander"
RECORDED = (0.4, 0.2)
"""Share of live pianos, and of mixes' pianos, that are a recorded one."""
WRONG = 0.01
MISSED = 0.02
OTHER_TEMPO = 0.15
"""Standard deviation of the logarithm of how much faster somebody who practises plays."""
SILENT = 1e-5
"""Amplitude that is added before the logarithm, -100 dB."""


@dataclass(frozen=True)
class About:
    """How a pair was made.

    Attributes:
        composer: as the index has it.
        work: the MIDI file.
        sounds: soundfonts of the live piano, of the mix's orchestra and of its piano.
        solo: see `arrangement.Arrangement`, or "reduction".
        piano_db: level of the mix's piano over its orchestra.
    """

    composer: str
    work: str
    sounds: tuple[str, str, str]
    solo: str
    piano_db: float


def make_live_pair(
    corpus: Path, works: Sequence[Work], fonts: Sequence[str], number: int, folder: Path, samples: Path | None
) -> Path:
    """Render pair `number` into `folder` unless it is there.

    Args:
        corpus: holds the folder `midi`.
        works: one of these is played.
        fonts: with three of these.
        number: of the pair.
        folder: where it goes.
        samples: of a recorded piano that some of the pianos are, see `sampled_piano`; None: none is.
    """
    target = folder / f"{number:05d}.npz"
    if target.exists():
        return target
    rng = np.random.default_rng([SEED, number])
    while True:
        work, parts = draw_excerpt(corpus, works, EXCERPT_S, rng)
        if not parts:
            continue
        concerto = _with_piano(parts, rng)
        if len(concerto.piano) >= FEWEST_NOTES:
            break
    weight = np.array([FONT_WEIGHTS[f] for f in fonts])
    sounds = [str(f) for f in rng.choice(np.array(fonts), 3, p=weight / weight.sum())]
    duration_s = max(float(p.notes[:, 1].max()) for p in (*concerto.orchestra, Part(0, concerto.piano)))
    live_map, mix_map = (time_map(duration_s, rng.uniform(0.2, 2.0), rng) for _ in range(2))
    live_map[1] *= np.exp(rng.normal(0.0, OTHER_TEMPO))
    piano_db = rng.uniform(-6.0, 9.0)
    recorded_pianos = rng.random(2) < RECORDED
    for role in (0, 1):
        if samples is not None and recorded_pianos[role]:
            sounds[2 * role] = SALAMANDER
    live, struck = _live(concerto, live_map, sounds[0], samples, rng)
    mix = _mix(concerto, mix_map, sounds[1:], piano_db, samples, rng)
    about = About(work.composer, work.file, (sounds[0], sounds[1], sounds[2]), concerto.solo, round(piano_db, 1))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            live=_amplitudes(live),
            mix=_amplitudes(mix),
            live_s=live_map[1],
            mix_s=mix_map[1],
            struck_s=struck,
            about=np.array(json.dumps(asdict(about))),
        )
    unfinished.replace(target)
    return target


def _with_piano(parts: tuple[Part, ...], rng: np.random.Generator) -> Arrangement:
    """A concerto, or for some works without a keyboard a reduction of some parts for the piano."""
    if any(p.is_keyboard for p in parts) or len(parts) < 3 or rng.random() > REDUCED:
        return arrange(parts, rng)
    taken = rng.choice(len(parts), min(int(rng.integers(1, 5)), len(parts) - 1), replace=False)
    notes = np.concatenate([parts[k].notes for k in taken])
    kept = parts if rng.random() < DOUBLED else tuple(p for k, p in enumerate(parts) if k not in taken)
    return Arrangement(kept, notes[np.argsort(notes[:, 0], kind="stable")], bool(rng.random() < 0.5), "reduction")


def _pedal(length_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(np.cumsum(rng.uniform(0.5, 2.0, int(length_s) + 1)))


def _live(
    concerto: Arrangement, timing: NDArray[np.float64], font: str, samples: Path | None, rng: np.random.Generator
) -> tuple[Samples, NDArray[np.float64]]:
    """Somebody practises the piano part, in a room: wrong and missed notes, a pedal of his own."""
    length_s = float(timing[1, -1]) + TAIL_S
    played = perform(concerto.piano, timing, rng.uniform(0.003, 0.02), rng)
    played = played[rng.random(len(played)) >= MISSED]
    wrong = rng.random(len(played)) < WRONG
    played[wrong, 2] += rng.choice([-2.0, -1.0, 1.0, 2.0], int(wrong.sum()))
    pedal = _pedal(length_s, rng) if rng.random() < (0.8 if concerto.pedal else 0.2) else None
    dry = _piano(played, pedal, font, rng.uniform(435.0, 445.0), length_s, samples, rng)
    return recorded(coloured(in_room(coloured(dry, rng), rng), rng), rng), played[:, 0]


def _mix(
    concerto: Arrangement,
    timing: NDArray[np.float64],
    fonts: Sequence[str],
    piano_db: float,
    samples: Path | None,
    rng: np.random.Generator,
) -> Samples:
    length_s = float(timing[1, -1]) + TAIL_S
    a4_hz, jitter_s = rng.uniform(435.0, 445.0), rng.uniform(0.003, 0.018)
    voices = tuple(
        Voice(p.program, perform(p.notes, timing, jitter_s, rng), int(rng.integers(85, 128)))
        for p in concerto.orchestra
    )
    sound = synthesise(voices, fonts[0], a4_hz, length_s)
    sound = sound / np.float32(loudness(sound))
    played = perform(concerto.piano, timing, rng.uniform(0.002, 0.012), rng)
    pedal = _pedal(length_s, rng) if concerto.pedal else None
    piano = coloured(_piano(played, pedal, fonts[1], a4_hz, length_s, samples, rng), rng)
    sound = sound + piano / np.float32(loudness(piano)) * np.float32(10.0 ** (piano_db / 20.0))
    return recorded(coloured(in_room(sound, rng), rng), rng)


def _piano(
    played: NDArray[np.float64],
    pedal: NDArray[np.float64] | None,
    font: str,
    a4_hz: float,
    length_s: float,
    samples: Path | None,
    rng: np.random.Generator,
) -> Samples:
    if font == SALAMANDER:
        assert samples is not None
        return sampled_piano.play(played, pedal, a4_hz, length_s, samples)
    return synthesise((Voice(int(rng.choice(PIANOS)), played, 100, pedal),), font, a4_hz, length_s)


def _amplitudes(sound: Samples) -> NDArray[np.float16]:
    frames = FeatureStream(FeatureConfig(), SAMPLE_RATE_HZ).extract(sound)
    return np.asarray(np.log(frames.pitch + np.float32(SILENT)), np.float16)
