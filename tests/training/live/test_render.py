"""training.live.render and dataset: a live piano and a mix whose annotation is exact, as the product hears them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from follower.config import FeatureConfig
from tests.training.test_render import HAS_SYNTHESISER, _corpus
from training.live import sampled_piano
from training.live.dataset import WINDOW_LAG_S, crop, hear, placed, vary
from training.live.folds import LEFT_OUT_SOUND, live_pools
from training.live.render import make_live_pair
from training.render import Work
from training.sound import SAMPLE_RATE_HZ

HOP_S = FeatureConfig().hop_s


def _melody(starts_s: NDArray[np.float64], frames: int) -> NDArray[np.float32]:
    """A new semitone at each of these times, in amplitudes as of a window that ends with the hop."""
    x = np.full((frames, 88), 1e-6, np.float32)
    rng = np.random.default_rng(3)
    for start_s in starts_s:
        first, note = int(start_s / HOP_S), int(rng.integers(30, 70))
        x[first : first + 20, note] += 0.2 * 0.9 ** np.arange(len(x[first : first + 20])).astype(np.float32)
    return x


def test_what_is_heard_of_a_piano_fits_best_where_it_is_in_the_mix() -> None:
    """The same melody twice as slow in the mix: the plain scores are highest at the annotated frames."""
    notes_s = np.arange(1.0, 20.0, 0.5)
    live, mix = _melody(notes_s, 900), _melody(2 * notes_s, 1800)
    heard = hear(live, mix, (np.array([0.0, 30.0]), np.array([0.0, 60.0])), notes_s)
    judged = np.flatnonzero(heard.judged)
    assert len(judged) > 300
    attack = np.array([int(s / HOP_S) + 1 for s in notes_s[8:30]])
    best = heard.plain[attack].astype(np.float32).argmax(axis=1)
    assert np.median(np.abs(best - heard.at[attack])) <= 6
    cut = crop(heard, 100, np.random.default_rng(0))
    assert cut.live.shape == (100, 88)
    assert cut.mix is heard.mix
    other = vary(heard, np.random.default_rng(1))
    assert other.live.shape == heard.live.shape
    assert not np.allclose(other.live, heard.live)


def test_at_another_tempo_the_windows_lag_in_the_music_too() -> None:
    same = placed(np.array([10.0]), np.array([0.0, 20.0]), np.array([5.0, 25.0]), HOP_S)
    assert (same + 1) * HOP_S == pytest.approx(15.0)
    twice = placed(np.array([10.0]), np.array([0.0, 20.0]), np.array([0.0, 40.0]), HOP_S)
    assert (twice + 1) * HOP_S == pytest.approx(20.0 - WINDOW_LAG_S)


def test_a_sampled_piano_plays_notes_when_and_as_high_as_written(tmp_path: Path) -> None:
    t = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (np.sin(2 * np.pi * 440.0 * t) * np.exp(-t)).astype(np.float32)
    sf.write(tmp_path / "A4v10.ogg", tone, SAMPLE_RATE_HZ, format="OGG", subtype="VORBIS")
    sound = sampled_piano.play(np.array([[1.0, 1.5, 71.0, 80.0]]), None, 442.0, 3.0, tmp_path)
    assert np.abs(sound[: int(0.98 * SAMPLE_RATE_HZ)]).max() == 0.0
    assert np.abs(sound[int(1.0 * SAMPLE_RATE_HZ) : int(1.05 * SAMPLE_RATE_HZ)]).max() > 0.1
    assert np.abs(sound[int(2.2 * SAMPLE_RATE_HZ) :]).max() < 1e-3
    spectrum = np.abs(np.fft.rfft(sound[SAMPLE_RATE_HZ : SAMPLE_RATE_HZ * 3 // 2]))
    assert 2.0 * int(spectrum.argmax()) == pytest.approx(442.0 * 2 ** (2 / 12), abs=2.5)
    held = sampled_piano.play(np.array([[1.0, 1.5, 71.0, 80.0]]), np.array([0.5, 2.5]), 442.0, 3.0, tmp_path)
    assert np.abs(held[int(2.2 * SAMPLE_RATE_HZ) : int(2.4 * SAMPLE_RATE_HZ)]).max() > 0.05


def test_a_folder_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no samples"):
        sampled_piano.play(np.empty((0, 4)), None, 440.0, 1.0, tmp_path)


@pytest.mark.skipif(not HAS_SYNTHESISER, reason="needs Debian's packages fluidsynth and timgm6mb-soundfont")
def test_a_pair_is_made_once_and_its_notes_are_where_it_says(tmp_path: Path) -> None:
    corpus = _corpus(tmp_path)
    works = (Work("duet.mid", "nobody", "orchestra"),)
    file = make_live_pair(corpus, works, ("timgm",), 3, tmp_path / "pairs", None)
    made_ns = file.stat().st_mtime_ns
    assert make_live_pair(corpus, works, ("timgm",), 3, tmp_path / "pairs", None).stat().st_mtime_ns == made_ns
    with np.load(file, allow_pickle=False) as pair:
        live, struck_s = pair["live"].astype(np.float32), pair["struck_s"]
        assert np.all(np.diff(pair["live_s"]) > 0)
        assert np.all(np.diff(pair["mix_s"]) > 0)
    level = live.max(axis=1)
    at = np.round(struck_s / HOP_S).astype(int)
    at = at[(at > 4) & (at < len(level) - 8)]
    assert np.mean(live[at + 6].max(axis=1) > np.median(level) - 3.0) > 0.9


def test_the_pools_share_neither_composers_nor_the_sound_left_out() -> None:
    works = (Work("a.mid", "bach", "orchestra"), Work("b.mid", "brahms", "orchestra"), Work("k466.mid", "mozart", "x"))
    train, kept, sounds = live_pools(works, 5, 2)
    assert [w.composer for w in train.works] == ["bach"]
    assert [w.composer for w in kept.works] == ["brahms"]
    assert LEFT_OUT_SOUND not in train.fonts
    assert LEFT_OUT_SOUND not in kept.fonts
    assert sounds.fonts == (LEFT_OUT_SOUND,)
    assert not set(train.numbers) & (set(kept.numbers) | set(sounds.numbers))
