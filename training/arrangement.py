"""Which notes of a score the piano plays, and which the orchestra keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.score import Part

STRINGS = (40, 41, 42, 44, 45, 48, 49, 50, 51)
OTHER_STRINGS = (40, 41, 42, 48, 48, 49, 50)
"""What a string part may be played with: sections and solo instruments, quick and slow attacks."""


@dataclass(frozen=True)
class Arrangement:
    """A concerto made of a score.

    Attributes:
        orchestra: parts that both recordings have.
        piano: notes of the piano of the full mix, (n, 4) as in `Part`; may be empty.
        pedal: the piano's pedal is held, changed every half second to two seconds.
        solo: how the piano got its notes: "own", "taken over", "figures" or "none", joined by "+".
    """

    orchestra: tuple[Part, ...]
    piano: NDArray[np.float64]
    pedal: bool
    solo: str


def arrange(parts: tuple[Part, ...], rng: np.random.Generator) -> Arrangement:
    """Make a concerto: keyboards become the piano; where there is none it takes over a part or plays figures.

    A twentieth of the arrangements of orchestral music leave the piano silent, as in a tutti.
    """
    keyboards = [p for p in parts if p.is_keyboard]
    others = [p for p in parts if not p.is_keyboard]
    solo: list[str] = []
    piano: list[NDArray[np.float64]] = []
    if not others:
        keyboards, others = keyboards[:-1], keyboards[-1:]
        others = [Part(48, others[0].notes)]
    if keyboards:
        solo.append("own")
        piano += [p.notes for p in keyboards]
    elif len(others) > 2 and rng.random() < 0.4:
        solo.append("taken over")
        piano.append(others.pop(int(rng.integers(len(others)))).notes)
    if rng.random() < (0.25 if solo else 0.93):
        solo.append("figures")
        piano.append(figures(np.concatenate([p.notes for p in others]), rng))
    notes = np.concatenate(piano) if piano else np.empty((0, 4))
    strings = rng.random() < 0.4
    orchestra = tuple(
        Part(int(rng.choice(OTHER_STRINGS)), p.notes) if strings and p.program in STRINGS else p for p in others
    )
    pedal = bool(rng.random() < 0.5)
    return Arrangement(orchestra, notes[np.argsort(notes[:, 0], kind="stable")], pedal, "+".join(solo) or "none")


def figures(notes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Piano figuration on the harmony of an orchestra's notes: broken chords, scales, repeated chords; (n, 4)."""
    end_s = float(notes[:, 1].max())
    out: list[tuple[float, float, float, float]] = []
    now_s = float(notes[:, 0].min())
    while now_s < end_s:
        phrase_s = rng.uniform(3.0, 10.0)
        if rng.random() < 0.2:  # the piano rests
            now_s += phrase_s
            continue
        step_s, low = rng.uniform(0.07, 0.3), int(rng.integers(36, 62))
        kind, size, velocity = rng.integers(3), int(rng.integers(4, 16)), rng.uniform(45.0, 100.0)
        k, begin_s = 0, now_s
        while now_s < min(begin_s + phrase_s, end_s):
            sounding = notes[(notes[:, 0] <= now_s + 0.15) & (notes[:, 1] > now_s + 0.05), 2]
            if len(sounding):
                classes = np.unique(sounding.astype(np.int64) % 12)
                if kind == 1:  # passing notes
                    classes = np.unique(np.concatenate([classes, (classes + 2) % 12]))
                scale = np.array([p for p in range(low, 100) if p % 12 in classes])
                turn = abs((k % (2 * size)) - size)
                highest = len(scale) - 1
                pitches = scale[min(k % 3, highest) :][:3] if kind == 2 else scale[[min(turn, highest)]]
                out += [(now_s, now_s + step_s, float(p), velocity + rng.normal(0.0, 6.0)) for p in pitches]
            k += 1
            now_s += step_s
    return np.array(out) if out else np.empty((0, 4))
