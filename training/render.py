"""Pairs of recordings of one work, an orchestra alone and a full mix, with the exact map between them.

A pair is a file `NNNNN.npz`: `o` and `po`, the levels of `offline_prep.alignment.features.compress` as float16;
`column`, the frame of the orchestra recording that belongs to each frame of the mix; `o_notes` and `po_notes`, the
beginnings of notes as played, (frame, MIDI pitch, 1 where the piano plays it); and `about`, JSON: composer, file,
sounds.  Pair N is the same whenever it is made.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline_prep.alignment.features import HOP_S, compress, estimate_tuning, pitchgram
from training.arrangement import arrange
from training.score import Part, excerpt, read_score
from training.sound import Voice, coloured, in_room, loudness, recorded, synthesise
from training.timing import perform, time_map

SEED = 13
GAMMA = 1000.0
EXCERPT_S = 50.0
FEWEST_NOTES = 60
TAIL_S = 1.0
FONT_WEIGHTS = {"fluid": 0.26, "musescore": 0.26, "timgm": 0.2, "csound": 0.18, "opl3": 0.1}
PIANOS = (0, 0, 0, 1, 2)


@dataclass(frozen=True)
class Work:
    """A line of the corpus's index.

    Attributes:
        file: path below the corpus's folder `midi`.
        composer: as the index has it.
        kind: "piano+orchestra" or "orchestra".
    """

    file: str
    composer: str
    kind: str


@dataclass(frozen=True)
class About:
    """How a pair was made.

    Attributes:
        composer: as the index has it.
        work: the MIDI file.
        sounds: soundfonts of the orchestra recording, of the mix's orchestra and of its piano.
        solo: see `arrangement.Arrangement`.
        tunings: estimated semitones above A = 440 Hz of the orchestra recording and of the mix.
    """

    composer: str
    work: str
    sounds: tuple[str, str, str]
    solo: str
    tunings: tuple[float, float]


def read_index(corpus: Path) -> tuple[Work, ...]:
    """Works of `corpus/index.csv`, concertos twice: they are what is to be read."""
    with (corpus / "index.csv").open(encoding="utf-8", newline="") as file:
        works = [Work(r["file"], r["composer"], r["kind"]) for r in csv.DictReader(file)]
    return tuple(w for w in works for _ in range(2 if "piano" in w.kind else 1))


def draw_excerpt(
    corpus: Path, works: Sequence[Work], length_s: float, rng: np.random.Generator
) -> tuple[Work, tuple[Part, ...]]:
    """A work and its parts over so many seconds from a random place; there may be none."""
    work = works[int(rng.integers(len(works)))]
    score = read_score(corpus / "midi" / work.file)
    end_s = max(float(p.notes[:, 1].max()) for p in score)
    begin_s = rng.uniform(0.0, max(end_s - length_s, 0.01))
    return work, excerpt(score, begin_s, begin_s + length_s)


def make_pair(corpus: Path, works: Sequence[Work], fonts: Sequence[str], number: int, folder: Path) -> Path:
    """Render pair `number` into `folder` unless it is there, from one of the works with some of the fonts."""
    target = folder / f"{number:05d}.npz"
    if target.exists():
        return target
    rng = np.random.default_rng([SEED, number])
    while True:
        work, parts = draw_excerpt(corpus, works, EXCERPT_S, rng)
        if sum(len(p.notes) for p in parts) >= FEWEST_NOTES:
            break
    concerto = arrange(parts, rng)
    duration_s = max(float(p.notes[:, 1].max()) for p in concerto.orchestra)
    weight = np.array([FONT_WEIGHTS[f] for f in fonts])
    sounds = [str(f) for f in rng.choice(np.array(fonts), 3, p=weight / weight.sum())]
    maps = [time_map(duration_s, rng.uniform(0.2, 2.0), rng) for _ in range(2)]
    levels, tunings, struck = [], [], []
    for role in (0, 1):
        length_s = float(maps[role][1, -1]) + TAIL_S
        a4_hz = rng.uniform(435.0, 445.0)
        volume = rng.integers(85, 128, len(concerto.orchestra))
        jitter_s = rng.uniform(0.003, 0.018)
        voices = tuple(
            Voice(p.program, perform(p.notes, maps[role], jitter_s, rng), int(v))
            for p, v in zip(concerto.orchestra, volume, strict=True)
        )
        sound = synthesise(voices, sounds[role], a4_hz, length_s)
        notes = [_beginnings(v.notes, 0.0) for v in voices]
        sound = sound / np.float32(loudness(sound))
        if role == 1 and len(concerto.piano):
            played = perform(concerto.piano, maps[1], rng.uniform(0.002, 0.012), rng)
            pedal = np.cumsum(rng.uniform(0.5, 2.0, int(length_s) + 1)) if concerto.pedal else None
            voice = Voice(int(rng.choice(PIANOS)), played, 100, pedal)
            notes.append(_beginnings(played, 1.0))
            piano = coloured(synthesise((voice,), sounds[2], a4_hz, length_s), rng)
            sound = sound + piano / np.float32(loudness(piano)) * np.float32(10.0 ** (rng.uniform(-6.0, 9.0) / 20.0))
        heard = recorded(coloured(in_room(sound, rng), rng), rng)
        struck.append(np.concatenate(notes))
        tunings.append(estimate_tuning(heard))
        levels.append(compress(pitchgram(heard, tunings[-1]), GAMMA).astype(np.float16))
    at_s = np.interp(np.arange(len(levels[1])) * HOP_S, maps[1][1], maps[1][0])
    column = np.interp(at_s, *maps[0]) / HOP_S
    about = About(work.composer, work.file, (sounds[0], sounds[1], sounds[2]), concerto.solo, (tunings[0], tunings[1]))
    _save(target, levels, struck, column, about)
    return target


def _beginnings(notes: NDArray[np.float64], piano: float) -> NDArray[np.float32]:
    frame = notes[:, 0] / HOP_S
    return np.stack([frame, notes[:, 2], np.full(len(notes), piano)], axis=1).astype(np.float32)


def _save(
    target: Path,
    levels: list[NDArray[np.float16]],
    struck: list[NDArray[np.float32]],
    column: NDArray[np.float64],
    about: About,
) -> None:
    """Write the pair as a whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}.tmp")
    described = np.array(json.dumps(asdict(about)))
    with unfinished.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            o=levels[0],
            po=levels[1],
            o_notes=struck[0],
            po_notes=struck[1],
            column=column.astype(np.float32),
            about=described,
        )
    unfinished.replace(target)
