"""The demo piece: bars that add up, sound that is what was written, beats that belong to the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from follower.demo import piece, render
from follower.demo.render import demo_scenario, write_demo_scenario
from follower.errors import ConfigError, OutputError


@pytest.mark.parametrize("voice", piece.SCORE)
def test_every_bar_is_full_and_inside_the_piano(voice: piece.Voice) -> None:
    assert len(piece.SCORE[voice]) == piece.bar_count() == len(piece.STRINGS_LOUDNESS) == len(piece.PIANO_LOUDNESS)
    for bar in piece.SCORE[voice]:
        assert sum(float(token.partition(":")[2]) for token in bar.split()) == piece.BEATS_PER_BAR
    notes = piece.voice_notes(voice, piece.bar_count())
    assert all(28 <= n.midi <= 96 for n in notes)


def test_the_piano_rests_where_the_piece_says() -> None:
    starts = [n.start_beat // piece.BEATS_PER_BAR + 1 for v in piece.PIANO for n in piece.voice_notes(v, 18)]
    assert min(starts) == piece.SOLO_ENTRY_BAR
    assert not set(starts) & set(range(piece.PIANO_REST_BARS[0], piece.PIANO_REST_BARS[1] + 1))


def read_columns(path: Path) -> NDArray[np.float64]:
    return np.loadtxt(path, delimiter=",", skiprows=1).T


def test_truth_beats_and_sound_agree(short_demo: Path) -> None:
    p, o, po, measure, both = read_columns(short_demo / "truth.csv")
    assert np.allclose(np.diff(p), 0.05)
    assert (np.diff(o) > 0).all() and (np.diff(po) > 0).all() and set(both) <= {0.0, 1.0}
    for role, time in (("p", p), ("o", o), ("po", po)):
        second, bar = read_columns(short_demo / f"{role}.beats")
        assert np.allclose(np.interp(time, second, bar), measure, atol=0.02)  # within a beat the curve bends
        info = soundfile.info(short_demo / f"{role}.wav")
        assert second[-1] < info.duration and info.channels == 1 and info.subtype == "PCM_16"


def test_the_solo_entry_sounds_where_the_first_beat_says(short_demo: Path) -> None:
    samples, rate = soundfile.read(short_demo / "p.wav")
    first = read_columns(short_demo / "p.beats")[0, 0]
    power = np.mean(samples[: len(samples) // 64 * 64].reshape(-1, 64) ** 2, axis=1)
    begin = np.argmax(power > 30.0 * np.mean(power[: int(0.8 * first * rate / 64)])) * 64 / rate
    assert abs(begin - first) < 0.03


def test_written_pitches_sound(short_demo: Path) -> None:
    """The fundamental of the solo's first note stands out of the spectrum at this pianist's tuning."""
    samples, rate = soundfile.read(short_demo / "p.wav")
    begin, end = read_columns(short_demo / "p.beats")[0, [1, 2]]  # the written D5 is struck on the half beat
    part = samples[int((begin - 0.2) * rate) : int(end * rate)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18))
    peak_hz = np.fft.rfftfreq(1 << 18, 1 / rate)
    window = (peak_hz > 560) & (peak_hz < 620)
    found = peak_hz[window][np.argmax(spectrum[window])]
    assert abs(1200 * np.log2(found / (render.LIVE_PIANO.a4_hz * 2 ** (5 / 12)))) < 15


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    a, b, c = (write_demo_scenario(tmp_path / n, seed=s, seconds=12) for n, s in (("a", 5), ("b", 5), ("c", 6)))
    names = sorted(f.name for f in a.iterdir())
    assert names == ["o.beats", "o.wav", "p.beats", "p.wav", "po.beats", "po.wav", "truth.csv"]
    assert all((a / n).read_bytes() == (b / n).read_bytes() for n in names)
    assert all((a / n).read_bytes() != (c / n).read_bytes() for n in names)


def test_the_users_copy_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = demo_scenario(seconds=12)
    assert first.parent == tmp_path / "concerto-follower"
    monkeypatch.setattr(render, "write_demo_scenario", lambda *_, **__: pytest.fail("synthesised again"))
    assert demo_scenario(seconds=12) == first
    assert [f.name for f in first.parent.iterdir()] == [first.name]


@pytest.mark.parametrize("seconds", [0.0, 11.9, 45.1, float("nan")])
def test_refuses_a_length_it_does_not_have(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ConfigError, match="12 to 45"):
        write_demo_scenario(tmp_path / "x", seconds=seconds)
    assert not (tmp_path / "x").exists()


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose a folder"):
        write_demo_scenario(tmp_path / "file", seconds=12)
