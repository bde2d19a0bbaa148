from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.errors import AudioFileError
from offline_prep.audio import load_recording, resample


def tone(seconds: float, rate_hz: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate_hz", [22050, 44100, 48000])
def test_formats_rates_and_channels_are_read_as_their_mono_mean(tmp_path: Path, ending: str, rate_hz: int) -> None:
    path = tmp_path / f"a.{ending}"
    x = tone(1.5, rate_hz)
    soundfile.write(path, np.stack([x, 0.5 * x], axis=1), rate_hz)
    recording = load_recording(path)
    assert recording.sample_rate_hz == rate_hz
    assert recording.channels == 2
    assert recording.duration_s == pytest.approx(1.5, abs=0.06)
    middle = recording.samples[rate_hz // 2 : rate_hz]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 * 0.75 / np.sqrt(2), rel=0.02)


def test_resample_keeps_pitch_and_duration() -> None:
    y = resample(tone(1.0, 48000).astype(np.float32), 48000, 22050)
    assert len(y) == 22050
    assert np.argmax(np.abs(np.fft.rfft(y))) == 440


def write_text(path: Path) -> None:
    path.write_text("this is not audio")


def write_samples(samples: np.ndarray, subtype: str = "FLOAT") -> object:
    return lambda path: soundfile.write(path, samples, 22050, subtype=subtype)


NAN = tone(2, 22050)
NAN[30000] = np.nan


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "cannot read"),
        (write_text, "not an audio file"),
        (write_samples(np.zeros(0)), "holds 0 samples"),
        (write_samples(np.ones(1)), "holds 1 samples"),
        (write_samples(np.zeros(44100)), "is silent"),
        (write_samples(NAN), "not a number at 1.361 s"),
        (write_samples(np.sign(tone(2, 22050))), "clipped"),
        (write_samples(np.stack([tone(2, 22050), -tone(2, 22050)], axis=1)), "cancel each other"),
        (lambda path: path.mkdir(), "cannot read"),
    ],
)
def test_a_useless_recording_is_refused_with_the_reason(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "x.wav"
    make(path)  # type: ignore[operator]
    with pytest.raises(AudioFileError, match=message) as caught:
        load_recording(path)
    assert str(path) in str(caught.value)
