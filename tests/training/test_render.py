"""training.render and folds: pairs whose annotation is exact, of the works and sounds that were meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from offline_prep.alignment.features import LOWEST_MIDI, N_PITCHES
from training.dataset import about
from training.folds import LEFT_OUT_COMPOSERS, LEFT_OUT_SOUNDS, is_known, pools
from training.render import Work, make_pair, read_index
from training.sound import FONT_FOLDER, FONTS

HAS_SYNTHESISER = shutil.which("fluidsynth") is not None and (FONT_FOLDER / FONTS["timgm"]).exists()
BEATS = 40


def _corpus(folder: Path) -> Path:
    """One work: a flute over a viola, 20 s."""
    (folder / "midi").mkdir()
    track = mido.MidiTrack()
    for channel, program in ((0, 73), (1, 41)):
        track.append(mido.Message("program_change", program=program, channel=channel))
    for beat in range(BEATS):
        pitches = ((0, 72 + (5 * beat) % 12), (1, 55 + (7 * beat) % 12))
        track += [mido.Message("note_on", note=p, velocity=90, channel=c) for c, p in pitches]
        track += [mido.Message("note_off", note=p, channel=c, time=240 if c == 0 else 0) for c, p in pitches]
    mido.MidiFile(type=0, ticks_per_beat=240, tracks=[track]).save(folder / "midi" / "duet.mid")
    index = "file,composer,kind\nduet.mid,nobody,orchestra\n"
    (folder / "index.csv").write_text(index, encoding="utf-8")
    return folder


@pytest.mark.skipif(not HAS_SYNTHESISER, reason="needs Debian's packages fluidsynth and timgm6mb-soundfont")
def test_a_pair_is_annotated_exactly_and_made_once(tmp_path: Path) -> None:
    """The map takes every note of the mix's orchestra to the same note of the orchestra recording, but for the players'
    jitter, and there the levels rise."""
    corpus = _corpus(tmp_path)
    works = read_index(corpus)
    file = make_pair(corpus, works, ("timgm",), 7, tmp_path / "pairs")
    made_ns = file.stat().st_mtime_ns
    assert make_pair(corpus, works, ("timgm",), 7, tmp_path / "pairs").stat().st_mtime_ns == made_ns
    with np.load(file, allow_pickle=False) as pair:
        column, orchestra, mix = pair["column"], pair["o_notes"], pair["po_notes"]
        level = pair["o"].astype(np.float32)
        assert pair["po"].shape == (len(column), N_PITCHES)
    for pitch in np.unique(orchestra[:, 1]):
        there = np.sort(orchestra[orchestra[:, 1] == pitch, 0])
        here = np.sort(mix[(mix[:, 1] == pitch) & (mix[:, 2] == 0.0), 0])
        assert len(here) == len(there) > 0
        assert np.abs(np.interp(here, np.arange(len(column)), column) - there).max() < 10.0
    frame, row = np.round(orchestra[:, 0]).astype(int), np.round(orchestra[:, 1]).astype(int) - LOWEST_MIDI
    rise = level[np.minimum(frame + 8, len(level) - 1), row] - level[np.maximum(frame - 12, 0), row]
    assert np.mean(rise > 0.5) > 0.9
    assert about(file)["composer"] == "nobody"


def test_what_is_kept_apart_is_not_trained_on() -> None:
    composers = [*sorted(LEFT_OUT_COMPOSERS), "mozart", "bach"]
    works = [Work(f"{c}-some_concerto.mid", c, "orchestra") for c in composers]
    works.append(Work("bach-bwv1052_1mov.mid", "bach", "piano+orchestra"))
    train, unknown, unheard = pools(works, 10, 3)
    assert {w.composer for w in train.works} == {"mozart", "bach"} and all(is_known(w) for w in train.works)
    assert "bach-bwv1052_1mov.mid" not in {w.file for w in train.works}
    for judged in (unknown, unheard):
        assert {w.composer for w in judged.works} == LEFT_OUT_COMPOSERS
        assert not set(judged.numbers) & set(train.numbers)
    assert set(unheard.fonts_of(unheard.numbers[0])) == set(LEFT_OUT_SOUNDS)
    assert not set(train.fonts_of(0)) & set(LEFT_OUT_SOUNDS) and set(LEFT_OUT_SOUNDS) <= set(train.fonts_of(1))
