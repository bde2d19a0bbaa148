"""Concertino in D minor for piano and strings, eighteen bars in 4/4, written for this project.

Bars 1-2 are a tutti, the piano enters in bar 3, rests in bars 11 and 12 while the strings lead, and enters
again in bar 13. Every bar of a voice is one string of `pitch[+pitch...]:beats` and `r:beats` (a rest).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Voice = Literal["right", "left", "violin1", "violin2", "viola", "cello"]

BEATS_PER_BAR: Final = 4
SOLO_ENTRY_BAR: Final = 3
"""First bar of the live piano; the two recordings begin with bar 1."""
PIANO_REST_BARS: Final = (11, 12)
"""Bars in which the piano rests and the strings lead."""
PHRASE_END_BARS: Final = (2, 6, 10, 12, 17)
"""Players slow down in these bars, each in their own degree."""

PIANO: Final[tuple[Voice, ...]] = ("right", "left")
STRINGS: Final[tuple[Voice, ...]] = ("violin1", "violin2", "viola", "cello")

SCORE: Final[dict[Voice, tuple[str, ...]]] = {
    "right": (
        "r:4",
        "r:4",
        "A4:.5 D5:1 E5:.5 F5:1.5 E5:.5",
        "D5:1 F5:.5 G5:.5 A5:1.5 G5:.5",
        "Bb5:1 A5:.5 G5:.5 E5:1 G5:.5 E5:.5",
        "F5:1.5 G5:.25 F5:.25 E5:1.5 r:.5",
        "A5:.5 D6:1 C6:.5 A5:.5 F5:.5 G5:.5 A5:.5",
        "Bb5:.5 D6:.5 Bb5:.5 F5:.5 G5:.5 Bb5:.5 G5:.5 D5:.5",
        "E5:.25 F5:.25 G5:.25 Bb5:.25 A5:.25 G5:.25 F5:.25 E5:.25 "
        "C#5:.25 E5:.25 G5:.25 A5:.25 Bb5:.25 A5:.25 G5:.25 E5:.25",
        "D5+F5+D6:1.5 A5:.5 F5:1 D5:1",
        "r:4",
        "r:4",
        "A4:.25 C5:.25 F5:.25 A5:.25 C6:.25 A5:.25 F5:.25 C5:.25 "
        "A4:.25 C5:.25 F5:.25 A5:.25 G5:.25 F5:.25 E5:.25 F5:.25",
        "A4:.25 D5:.25 F5:.25 A5:.25 D6:.25 A5:.25 F5:.25 D5:.25 "
        "B4:.25 D5:.25 F5:.25 G5:.25 B5:.25 G5:.25 F5:.25 D5:.25",
        "C5:.25 E5:.25 G5:.25 C6:.25 E6:.25 C6:.25 G5:.25 E5:.25 "
        "C#5:.25 E5:.25 G5:.25 A5:.25 C#6:.25 A5:.25 G5:.25 E5:.25",
        "D5+F5+Bb5:1 C5+F5+A5:.5 Bb4+D5+F5:.5 Bb4+D5+G5:1 Bb4+E5+G5:1",
        "A4+D5+F5:1 D5+F5+A5:1 C#5+E5+A5:.5 E5:.25 F5:.25 G5:.25 A5:.25 Bb5:.25 C#6:.25",
        "F#5+A5+D6:4",
    ),
    "left": (
        "r:4",
        "r:4",
        "D3:.5 A3:.5 D4:.5 A3:.5 F3:.5 A3:.5 D4:.5 A3:.5",
        "Bb2:.5 F3:.5 D4:.5 F3:.5 Bb2:.5 F3:.5 Bb3:.5 F3:.5",
        "G2:.5 D3:.5 Bb3:.5 D3:.5 C3:.5 G3:.5 E4:.5 G3:.5",
        "F2:.5 C3:.5 A3:.5 C3:.5 A2:.5 E3:.5 G3:.5 C#4:.5",
        "D3:.5 F3:.5 A3:.5 D4:.5 C3:.5 F3:.5 A3:.5 F3:.5",
        "Bb2:1 F3+Bb3+D4:1 G2:1 D3+G3+Bb3:1",
        "E3:1 Bb3+D4:1 A2:1 G3+C#4:1",
        "D2+D3:2 A2+F3+A3:2",
        "r:4",
        "r:4",
        "F2+F3:2 A2+A3:2",
        "D2+D3:2 G2+G3:2",
        "C2+C3:2 C#2+C#3:2",
        "Bb1:.5 Bb2:.5 D2:.5 D3:.5 G1:.5 G2:.5 Bb1:.5 Bb2:.5",
        "A1+A2:1 D2+D3:1 A1+A2:1 A2+E3+G3:1",
        "D2+A2+D3:4",
    ),
    "violin1": (
        "D5:1.5 E5:.5 F5:1 A5:1",
        "G5:1 Bb5:1 A5:.75 G5:.25 F5:.5 E5:.5",
        "r:4",
        "r:4",
        "Bb4:2 C5:2",
        "C5:2 C#5:2",
        "D5:2 C5:2",
        "D5:2 D5:1 Bb4:1",
        "Bb4:2 C#5:2",
        "A4:2 D5:1 E5:1",
        "F5:1.5 E5:.5 F5:.5 G5:.5 A5:1",
        "Bb5:1 D6:1 C6:.75 Bb5:.25 A5:.5 G5:.5",
        "A5:2 G5:1 F5:1",
        "F5:2 D5:1 G5:1",
        "E5:2 A5:2",
        "D6:1 C6:.5 Bb5:.5 Bb5:1 G5:1",
        "F5:1 A5:1 E5:2",
        "F#5:4",
    ),
    "violin2": (
        "A4:2 D5:2",
        "D5:2 C#5:2",
        "F4:4",
        "F4:4",
        "G4:4",
        "A4:2 A4:2",
        "F4:2 A4:2",
        "F4:2 G4:2",
        "G4:2 G4:2",
        "F4:2 A4:2",
        "C5:2 C5:1 D5:1",
        "D5:2 E5:2",
        "C5:2 C5:2",
        "A4:2 B4:2",
        "C5:2 G4:2",
        "F4:2 D5:2",
        "D5:2 C#5:2",
        "A4:4",
    ),
    "viola": (
        "F4:2 F4:1 E4:1",
        "G4:2 E4:2",
        "D4:4",
        "D4:4",
        "D4:2 E4:2",
        "F4:2 E4:2",
        "A3:2 F4:2",
        "D4:2 D4:2",
        "D4:2 E4:2",
        "D4:2 F4:2",
        "A4:2 A4:1 F4:1",
        "F4:2 G4:2",
        "F4:2 E4:1 F4:1",
        "D4:2 F4:2",
        "G4:2 E4:2",
        "D4:2 G4:1 Bb4:1",
        "A4:2 G4:2",
        "D4:4",
    ),
    "cello": (
        "D3:1.5 C3:.5 Bb2:1 A2:1",
        "G2:1 G3:1 A2:2",
        "D3:4",
        "Bb2:4",
        "G2:2 C3:2",
        "F2:2 A2:2",
        "D3:2 C3:2",
        "Bb2:2 G2:2",
        "E2:2 A2:2",
        "D3:2 D3:1 C3:1",
        "F3:1 A3:1 C4:1 F3:1",
        "Bb2:2 C3:1 Bb2:1",
        "F2:2 A2:2",
        "D3:2 G2:2",
        "C3:2 C#3:2",
        "Bb2:2 G2:2",
        "A2:2 A2:2",
        "D2:4",
    ),
}

STRINGS_LOUDNESS: Final = (0.8, 0.85) + 8 * (0.45,) + (0.8, 0.85) + (0.6, 0.6, 0.65, 0.7, 0.75, 0.7)
"""How loud the strings play each bar, 0..1."""
PIANO_LOUDNESS: Final = (0.6, 0.6, 0.6, 0.65, 0.7, 0.6, 0.75, 0.75, 0.8, 0.85) + (0.7,) * 5 + (0.9, 0.9, 0.95)
"""How loud the piano plays each bar, 0..1."""

_PITCH_CLASS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTAL: Final = {"b": -1, "#": 1}


@dataclass(frozen=True, slots=True)
class Note:
    """One note of the score.

    Attributes:
        voice: who plays it.
        start_beat: beats from the start of bar 1.
        beats: written length.
        midi: pitch, 69 = A4.
        loudness: 0..1.
    """

    voice: Voice
    start_beat: float
    beats: float
    midi: int
    loudness: float


def bar_count() -> int:
    """Number of bars of the whole piece."""
    return len(SCORE["right"])


def midi_of(name: str) -> int:
    """MIDI number of a pitch name.

    >>> midi_of("A4"), midi_of("Bb2"), midi_of("C#5")
    (69, 46, 73)
    """
    letter, accidental, octave = name[0], name[1:-1], name[-1]
    return 12 * (int(octave) + 1) + _PITCH_CLASS[letter] + _ACCIDENTAL.get(accidental, 0)


def voice_notes(voice: Voice, bars: int) -> list[Note]:
    """The notes of a voice in the first `bars` bars, by start."""
    loudness = PIANO_LOUDNESS if voice in PIANO else STRINGS_LOUDNESS
    notes: list[Note] = []
    for bar, text in enumerate(SCORE[voice][:bars]):
        beat = float(bar * BEATS_PER_BAR)
        for token in text.split():
            pitches, _, length = token.partition(":")
            if pitches != "r":
                notes += [Note(voice, beat, float(length), midi_of(p), loudness[bar]) for p in pitches.split("+")]
            beat += float(length)
    return notes
