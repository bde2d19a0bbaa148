"""Notes of a MIDI file, part by part, in the seconds of its own tempo track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

KEYBOARDS = range(8)
"""General MIDI programs of pianos, harpsichord and clavinet."""
DRUMS = 9
LONGEST_S = 20.0
"""A note whose end is missing would sound for ever."""


@dataclass(frozen=True)
class Part:
    """Notes of one instrument.

    Attributes:
        program: General MIDI program, 0..127.
        notes: onset (s), end (s), MIDI pitch, velocity; (n, 4), by onset.
    """

    program: int
    notes: NDArray[np.float64]

    @property
    def is_keyboard(self) -> bool:
        """Piano, harpsichord or the like."""
        return self.program in KEYBOARDS


def read_score(file: Path) -> tuple[Part, ...]:
    """Parts of a MIDI file without percussion, those of the same program as one.

    Raises:
        ValueError: the file is no MIDI file or has no notes.
    """
    try:
        midi = mido.MidiFile(file, clip=True)
    except (OSError, EOFError, ValueError, KeyError, IndexError) as e:
        raise ValueError(f"{file} is no MIDI file that can be read: {e}") from e
    found: dict[int, list[tuple[float, float, float, float]]] = {}
    programs = dict.fromkeys(range(16), 0)
    sounding: dict[tuple[int, int], tuple[float, int, int]] = {}
    now_s = 0.0
    for message in midi:
        now_s += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key = (message.channel, message.note)
        if key in sounding:
            begin_s, velocity, program = sounding.pop(key)
            if now_s > begin_s:
                end_s = min(now_s, begin_s + LONGEST_S)
                found.setdefault(program, []).append((begin_s, end_s, message.note, velocity))
        if message.type == "note_on" and message.velocity > 0:
            sounding[key] = (now_s, message.velocity, programs[message.channel])
    if not found:
        raise ValueError(f"{file} has no notes")
    return tuple(Part(program, np.array(sorted(notes))) for program, notes in sorted(found.items()))


def excerpt(parts: tuple[Part, ...], begin_s: float, end_s: float) -> tuple[Part, ...]:
    """The notes that begin within an interval, in seconds from its begin, cut at its end; empty parts are left out."""
    out = []
    for part in parts:
        inside = part.notes[(part.notes[:, 0] >= begin_s) & (part.notes[:, 0] < end_s)].copy()
        inside[:, :2] = np.minimum(inside[:, :2], end_s) - begin_s
        if len(inside):
            out.append(Part(part.program, inside))
    return tuple(out)
