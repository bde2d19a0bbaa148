"""Recordings that are no orchestra and no concerto: what a person is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from offline_prep.cli import main
from offline_prep.roles import same_warning

RATE_HZ = 22050


@pytest.fixture
def sine(tmp_path: Path) -> Path:
    path = tmp_path / "sine.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE_HZ) / RATE_HZ), RATE_HZ)
    return path


def test_a_single_tone_is_one_line(sine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sine), str(sine), "--out", str(tmp_path / "cache")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: {sine}: the recording sounds the same throughout")
    assert not (tmp_path / "cache").exists()


def test_the_same_recording_twice_is_told(short_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = str(short_demo / "o.wav")
    assert main([same, same, "--out", str(tmp_path / "cache"), "--quiet"]) == 0
    assert "are both the same recording?" in capsys.readouterr().err


def test_a_mix_with_a_piano_is_not_the_same() -> None:
    assert same_warning(np.full(100, 0.55, np.float32)) is None
    assert same_warning(np.full(100, 0.014, np.float32)) is not None
