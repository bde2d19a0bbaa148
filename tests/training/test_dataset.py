"""training.dataset: windows are where their columns say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from offline_prep.alignment.features import LOWEST_MIDI, N_PITCHES
from training.dataset import COLUMNS, CONTEXT, ROWS, SEGMENT, SEGMENTS, Pairs, about, vary

LONGEST = 3000
OCTAVE = LOWEST_MIDI + 12


def _pair(folder: Path, name: str, slope: float) -> Path:
    """A pair whose levels say which frame of the orchestra recording they are: frame / 256 at every pitch."""
    frame = np.arange(LONGEST) / 256.0
    column = np.clip(100.0 + slope * np.arange(2200), 0, LONGEST - 1)
    notes = np.array([[column[1000], OCTAVE, 0.0]], dtype=np.float32)
    struck = np.array([[1000.0, OCTAVE, 0.0], [1001.0, OCTAVE, 1.0]], dtype=np.float32)
    file = folder / name
    np.savez(
        file,
        o=np.repeat(frame[:, None], N_PITCHES, axis=1).astype(np.float16),
        po=np.repeat(column[:, None] / 256.0, N_PITCHES, axis=1).astype(np.float16),
        column=column.astype(np.float32),
        o_notes=notes,
        po_notes=struck,
        about=np.array(json.dumps({"composer": "nobody"})),
    )
    return file


@pytest.mark.parametrize("slope", [0.8, 1.0, 1.2])
def test_the_column_of_a_row_has_the_same_music(tmp_path: Path, slope: float) -> None:
    pairs = Pairs([_pair(tmp_path, "a.npz", slope)])
    for seed in range(5):
        window = pairs.draw(np.random.default_rng(seed), varied=False)
        assert window.mix.shape == (ROWS + 2 * CONTEXT, N_PITCHES)
        assert window.orchestra.shape == (COLUMNS, N_PITCHES)
        there = window.orchestra[np.round(window.column).astype(int), 0]
        assert np.abs(there - window.mix[CONTEXT : CONTEXT + ROWS, 0]).max() < 2.0 / 256.0 + 0.01


def test_bells_stand_where_notes_begin(tmp_path: Path) -> None:
    """In both recordings at the same music, each kind of note in its channel."""
    pairs = Pairs([_pair(tmp_path, "a.npz", 1.0)])
    seen = 0
    for seed in range(20):
        window = pairs.draw(np.random.default_rng(seed), varied=False)
        mix, orchestra = window.onsets
        assert mix.shape == (ROWS, N_PITCHES, 2) and orchestra.shape == (COLUMNS - 2 * CONTEXT, N_PITCHES, 2)
        if mix.max() == 1.0 and 10 < mix[:, 12, 0].argmax() < ROWS - 10:
            seen += 1
            row = int(mix[:, 12, 0].argmax())
            assert int(mix[:, 12, 1].argmax()) == row + 1
            assert abs(int(orchestra[:, 12, 0].argmax()) + CONTEXT - window.column[row]) <= 1.0
            assert orchestra[:, :, 1].max() == 0.0
            node = round(row / SEGMENT)
            assert window.weight[node] == 1.0 and window.weight.sum() < SEGMENTS
    assert seen > 3


def test_the_same_seed_gives_the_same_window_and_another_another(tmp_path: Path) -> None:
    pairs = Pairs([_pair(tmp_path, "a.npz", 1.0), _pair(tmp_path, "b.npz", 1.1)])
    first, again, other = (pairs.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.mix, again.mix) and np.array_equal(first.orchestra, again.orchestra)
    assert not np.array_equal(first.mix, other.mix)


def test_only_the_first_pairs_are_drawn_from(tmp_path: Path) -> None:
    pairs = Pairs([_pair(tmp_path, "a.npz", 1.0), tmp_path / "never_rendered.npz"])
    for seed in range(20):
        pairs.draw(np.random.default_rng(seed), among=1)
    with pytest.raises(FileNotFoundError):
        for seed in range(20):
            pairs.draw(np.random.default_rng(seed))


def test_variation_keeps_what_is_loud_and_when() -> None:
    level = np.zeros((60, N_PITCHES), dtype=np.float32)
    level[30:, 40] = 6.0
    for seed in range(10):
        varied = vary(level, np.random.default_rng(seed))
        assert varied.shape == level.shape and varied.dtype == np.float32
        assert int(np.diff(varied[:, 40]).argmax()) == 29
        assert varied[40:].mean(axis=0).argmax() == 40


def test_a_pair_says_how_it_was_made(tmp_path: Path) -> None:
    assert about(_pair(tmp_path, "a.npz", 1.0)) == {"composer": "nobody"}
