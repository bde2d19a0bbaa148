"""What phones record: AAC, told by its content and read by PyAV."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from follower.errors import AudioFileError
from follower.files.audio_file import AudioFile, read_audio
from follower.files.mpeg4 import is_mpeg4
from follower.testing import SOUND_RATE_HZ, make_sound

av = pytest.importorskip("av", reason="not installed: PyAV (pip install av)")


def encode(path: Path, kind: str, channels: int = 1) -> Path:
    sound = np.repeat(make_sound(3.0)[np.newaxis], channels, axis=0)
    with av.open(str(path), "w", format=kind) as container:
        layout = "mono" if channels == 1 else "stereo"
        stream = container.add_stream("aac", rate=SOUND_RATE_HZ, layout=layout)
        for first in range(0, sound.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, first : first + 1024]), "fltp", layout)
            frame.rate, frame.pts = SOUND_RATE_HZ, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("kind", "name"), [("mp4", "p.m4a"), ("adts", "p.aac"), ("mp4", "called.wav")])
@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_read_as_what_it_was(tmp_path: Path, kind: str, name: str, channels: int) -> None:
    path = encode(tmp_path / name, kind, channels)
    assert is_mpeg4(path)
    found, rate_hz = read_audio(path)
    assert rate_hz == SOUND_RATE_HZ and found.shape[1] == channels
    sound = make_sound(3.0)
    assert len(found) == pytest.approx(len(sound), abs=4096)
    n = 1 << 17
    match = np.fft.irfft(np.fft.rfft(found[:, 0], n) * np.conj(np.fft.rfft(sound, n)), n)
    late = int(np.argmax(match[:4096]))
    part = found[late : late + len(sound) - 8192, 0]
    assert np.corrcoef(part, sound[: len(part)])[0, 1] > 0.98


def test_other_files_are_not_taken_for_it(tmp_path: Path) -> None:
    for content in (b"RIFF....WAVE", b"\xff\xfb\x90\x00", b"", b"ID3\x04"):
        (tmp_path / "f").write_bytes(content)
        assert not is_mpeg4(tmp_path / "f")


def test_a_damaged_one_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + b"\0" * 100)
    with pytest.raises(AudioFileError, match=r"p\.m4a .*; (export it again|give a recording)"), AudioFile(path):
        pass


def test_without_pyav_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "p.m4a", "mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioFileError, match="pip install av"), AudioFile(path):
        pass
