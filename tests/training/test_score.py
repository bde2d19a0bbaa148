"""training.score, timing, arrangement: from a MIDI file to the notes of a performance."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.arrangement import arrange, figures
from training.score import DRUMS, LONGEST_S, Part, excerpt, read_score
from training.timing import perform, time_map

VIOLIN, PIANO = 40, 0


def _midi(file: Path, *messages: mido.Message | mido.MetaMessage) -> Path:
    track = mido.MidiTrack(messages)
    mido.MidiFile(type=0, ticks_per_beat=100, tracks=[track]).save(file)
    return file


def _note(kind: str, note: int, time: int, channel: int = 0, velocity: int = 64) -> mido.Message:
    return mido.Message(kind, note=note, time=time, channel=channel, velocity=velocity)


def test_notes_are_read_in_seconds_of_the_tempo_track(tmp_path: Path) -> None:
    """Beats of half a second, then of a whole one; percussion is left out, a note without end is cut."""
    file = _midi(
        tmp_path / "a.mid",
        mido.Message("program_change", program=VIOLIN, channel=1),
        _note("note_on", 60, 0, channel=1),
        _note("note_on", 36, 0, channel=DRUMS),
        _note("note_off", 60, 100, channel=1),
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        _note("note_on", 62, 100),
        _note("note_on", 62, 50, velocity=0),
        _note("note_on", 64, 0),
        _note("note_off", 64, 6000),
    )
    piano, violin = read_score(file)
    assert (piano.program, violin.program) == (PIANO, VIOLIN)
    assert piano.is_keyboard and not violin.is_keyboard
    assert violin.notes.tolist() == [[0.0, 0.5, 60.0, 64.0]]
    assert piano.notes == pytest.approx(np.array([[1.5, 2.0, 62.0, 64.0], [2.0, 2.0 + LONGEST_S, 64.0, 64.0]]))


@pytest.mark.parametrize("content", [b"", b"RIFF....", b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x64"])
def test_what_is_no_score_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.mid"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.mid"):
        read_score(file)


def test_an_excerpt_begins_at_its_begin_and_ends_at_its_end() -> None:
    part = Part(VIOLIN, np.array([[0.0, 1.0, 60, 64], [2.0, 9.0, 61, 64], [5.0, 6.0, 62, 64]]))
    (found,) = excerpt((part, Part(PIANO, part.notes[:1])), 2.0, 5.0)
    assert found.notes.tolist() == [[0.0, 3.0, 61.0, 64.0]]


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 60.0))
def test_time_only_goes_forward(seed: int, duration_s: float) -> None:
    timing = time_map(duration_s, 0.5, np.random.default_rng(seed))
    score_s, performed_s = timing
    assert score_s[0] == 0.0 and performed_s[0] == 0.5 and score_s[-1] >= duration_s
    slope = np.diff(performed_s) / np.diff(score_s)
    assert slope.min() > 0.2 and slope.max() < 8.0


def test_a_performance_keeps_to_its_map() -> None:
    """Every note within a few jitters of where the map has it, none lost, none that ends before it begins."""
    rng = np.random.default_rng(3)
    onset = np.sort(rng.uniform(0.0, 30.0, 300))
    notes = np.stack([onset, onset + 0.3, rng.integers(40, 90, 300), rng.integers(30, 120, 300)], axis=1)
    timing = time_map(31.0, 1.0, rng)
    played = perform(notes, timing, 0.01, rng)
    assert sorted(played[:, 2]) == sorted(notes[:, 2])
    assert np.all(played[:, 1] > played[:, 0]) and np.all(np.diff(played[:, 0]) >= 0.0)
    for pitch in np.unique(notes[:, 2]):
        expected = np.interp(notes[notes[:, 2] == pitch, 0], *timing)
        found = played[played[:, 2] == pitch, 0]
        assert np.abs(np.sort(found) - np.sort(expected)).max() < 0.08


def _orchestra() -> tuple[Part, ...]:
    onset = np.arange(0.0, 20.0, 0.5)
    return tuple(
        Part(program, np.stack([onset, onset + 0.45, np.full(40, pitch), np.full(40, 70)], axis=1))
        for program, pitch in ((40, 76.0), (42, 48.0), (73, 79.0))
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_orchestra_keeps_what_the_piano_does_not_take(seed: int) -> None:
    parts = _orchestra()
    made = arrange(parts, np.random.default_rng(seed))
    assert len(made.orchestra) == len(parts) - made.solo.count("taken over")
    assert (len(made.piano) == 0) == (made.solo == "none")


def test_a_keyboard_part_is_the_piano() -> None:
    keyboard = Part(6, np.array([[0.0, 1.0, 60.0, 64.0]]))
    made = arrange((keyboard, *_orchestra()), np.random.default_rng(1))
    assert len(made.orchestra) == 3 and made.solo.startswith("own")
    assert keyboard.notes[0].tolist() in made.piano.tolist()


def test_figures_are_of_the_harmony_or_beside_it() -> None:
    notes = np.concatenate([p.notes for p in _orchestra()])
    found = figures(notes, np.random.default_rng(0))
    assert len(found) > 50
    harmony = {int(p) % 12 for p in notes[:, 2]}
    allowed = harmony | {(p + 2) % 12 for p in harmony}
    assert {int(p) % 12 for p in found[:, 2]} <= allowed
