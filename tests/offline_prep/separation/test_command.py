"""`offline-prep --separate` and `--no-orchestra`: what is in the cache, and that a session plays it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.cli import main as follower_main
from follower.errors import InputError
from follower.evaluation.scenario import load_scenario
from follower.piece.reading import load_piece
from follower.playback.orchestra_file import load_orchestra_of
from offline_prep.audio import load_recording
from offline_prep.cli import main as prep_main
from offline_prep.compute import stream_features
from offline_prep.separation.config import SeparationConfig

PARTS = ("mix_piano", "mix_orchestra")


@pytest.fixture(scope="module")
def separated(short_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache made with `--separate`."""
    cache = tmp_path_factory.mktemp("separated") / "piece"
    words = [str(short_demo / "o.wav"), str(short_demo / "po.wav"), "--out", str(cache), "--separate", "--quiet"]
    assert prep_main(words) == 0
    return cache


@pytest.fixture(scope="module")
def alone(short_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache made of the mix alone."""
    cache = tmp_path_factory.mktemp("alone") / "piece"
    assert prep_main(["--mix", str(short_demo / "po.wav"), "--no-orchestra", "--out", str(cache), "--quiet"]) == 0
    return cache


@pytest.mark.parametrize("made", ["separated", "alone"])
def test_the_parts_sum_to_the_mix(made: str, short_demo: Path, request: pytest.FixtureRequest) -> None:
    cache: Path = request.getfixturevalue(made)
    mix, rate = soundfile.read(short_demo / "po.wav")
    parts = [soundfile.read(cache / f"{part}.flac") for part in PARTS]
    assert [r for _, r in parts] == [rate, rate]
    np.testing.assert_allclose(parts[0][0] + parts[1][0], mix, atol=1e-4)
    for samples, _ in parts:
        assert np.sqrt(np.mean(samples**2)) > 0.05 * np.sqrt(np.mean(mix**2)), "a part is empty"


def test_the_live_piano_is_compared_with_the_piano_that_was_taken_out(separated: Path, alone: Path) -> None:
    """With an orchestra recording to guide it; without, it was not measured whether that helps."""
    piece = load_piece(separated)
    found = stream_features(load_recording(separated / "mix_piano.flac"), piece.feature_config, lambda *_: None)
    assert piece.mix_piano is not None
    np.testing.assert_array_equal(piece.mix_piano, found.pitch[: len(piece.mix.pitch)])
    assert load_piece(alone).mix_piano is None


def test_a_second_run_does_nothing(separated: Path, short_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(short_demo / "o.wav"), str(short_demo / "po.wav"), "--out", str(separated)]
    assert prep_main([*words, "--separate"]) == 0
    assert "is up to date" in capsys.readouterr().out
    assert load_piece(separated).manifest.settings["separation.rounds"] == SeparationConfig().rounds


def test_the_manifest_says_what_is_played(alone: Path, short_demo: Path) -> None:
    piece = load_piece(alone)
    assert set(piece.manifest.inputs) == {"mix"}
    assert piece.orchestra_file.path == str(alone / "mix_orchestra.flac")
    assert piece.orchestra_duration_s == pytest.approx(soundfile.info(short_demo / "po.wav").duration)
    at = np.linspace(0.0, piece.mix_duration_s, 7)
    np.testing.assert_allclose(piece.map.to_orchestra(at), at, atol=1e-9)


def test_a_moved_cache_plays_its_own_orchestra(alone: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(alone, moved)
    piece = load_piece(moved)
    recording = load_orchestra_of(piece, None, given=False)
    assert recording.duration_s == pytest.approx(piece.mix_duration_s, abs=1e-3)
    (moved / "mix_orchestra.flac").write_bytes((alone / "mix_piano.flac").read_bytes())
    with pytest.raises(InputError, match=r"moved/mix_orchestra\.flac has changed since the cache was made"):
        load_orchestra_of(piece, None, given=False)


def test_a_piano_is_followed_and_accompanied_by_the_orchestra_of_the_mix(
    alone: Path, short_demo: Path, tmp_path: Path
) -> None:
    rendered, positions = tmp_path / "both.wav", tmp_path / "positions.csv"
    words = ["replay", str(alone), str(short_demo / "p.wav"), "--speed", "max"]
    assert follower_main([*words, "--positions", str(positions), "--render", str(rendered)]) == 0
    scenario = load_scenario(short_demo)
    with positions.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["orchestra_time_s"]]
    at, claimed = (np.array([float(r[k]) for r in rows]) for k in ("audio_time_s", "orchestra_time_s"))
    true = np.interp(at, scenario.truth.piano_s, scenario.truth.mix_s)
    assert np.median(np.abs(claimed - true)) < 0.1
    sound, _ = soundfile.read(rendered)
    assert np.sqrt(np.mean(sound[len(sound) // 2 :, 1] ** 2)) > 1e-3
