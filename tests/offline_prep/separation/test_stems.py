"""The files of the separated parts: whole, described as they are, gone afterwards, and refused in one sentence."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.errors import OutputError
from offline_prep.separation.separate import Stretch
from offline_prep.separation.stems import Stems


def stretches(n: int = 3) -> list[Stretch]:
    rng = np.random.default_rng(1)
    return [Stretch(*(rng.uniform(-0.4, 0.4, (500, 2)).astype(np.float32) for _ in range(2))) for _ in range(n)]


def test_what_is_written_can_be_read_and_is_described(tmp_path: Path) -> None:
    with Stems(tmp_path, 32000, 2) as stems:
        stems.write(stretches())
        described = stems.described(1500 / 32000)
        for role, name in (("mix_piano", "piano"), ("mix_orchestra", "orchestra")):
            stems.files[role].seek(0)
            content = stems.files[role].read()
            assert described[role].path == f"{role}.flac"
            assert described[role].sha256 == hashlib.sha256(content).hexdigest()
            found, rate = soundfile.read(io.BytesIO(content))
            assert rate == 32000
            np.testing.assert_allclose(found, np.concatenate([getattr(s, name) for s in stretches()]), atol=1e-6)
        recording = stems.recording("mix_orchestra")
        wanted = np.concatenate([s.orchestra for s in stretches()]).mean(axis=1)
        np.testing.assert_allclose(recording.samples, wanted, atol=1e-6)
        assert (recording.sample_rate_hz, recording.sha256) == (32000, described["mix_orchestra"].sha256)
    assert not list(tmp_path.iterdir())


def test_what_is_too_loud_is_clipped(tmp_path: Path) -> None:
    with Stems(tmp_path, 8000, 1) as stems:
        stems.write([Stretch(np.full((10, 1), 1.5, np.float32), np.full((10, 1), -0.5, np.float32))])
        stems.files["mix_piano"].seek(0)
        loud, _ = soundfile.read(stems.files["mix_piano"])
    np.testing.assert_allclose(loud, 1.0, atol=1e-6)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write the separated parts into .*gone"),
        Stems(tmp_path / "gone", 8000, 1),
    ):
        raise AssertionError("it was opened")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: os.fdopen(os.open("/dev/full", os.O_RDWR), "r+b", 0))
    with pytest.raises(OutputError, match="cannot write the separated parts into"), Stems(tmp_path, 8000, 2) as stems:
        stems.write(stretches(40))
