"""Reading recordings: blocks and whole files agree; what is damaged or lies about its length is one sentence."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.errors import AudioFileError
from follower.files.audio_file import AudioFile, read_audio
from follower.files.source import FileSource
from follower.playback.recording import load_orchestra
from offline_prep.audio import load_recording
from tests.paths import REPOSITORY

RATE_HZ = 22050


def noise(seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((round(seconds * RATE_HZ), 2))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("block", [1000, 1 << 16])
def test_blocks_are_the_whole_file(tmp_path: Path, ending: str, block: int) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, noise(2.0), RATE_HZ)
    whole, rate_hz = read_audio(path)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    # libmpg123 rounds the last bit as the memory happens to be aligned.
    last_bit = 1e-7 if ending == "mp3" else 0.0
    np.testing.assert_allclose(whole, expected, rtol=0, atol=last_bit)
    assert rate_hz == RATE_HZ
    assert whole.dtype == np.float32
    with AudioFile(path) as file:
        assert (file.channels, file.n_samples, file.sample_rate_hz) == (2, len(whole), RATE_HZ)
        np.testing.assert_allclose(np.concatenate(list(file.blocks(block))), whole, rtol=0, atol=last_bit)
        file.rewind()
        np.testing.assert_allclose(file.read(100), whole[:100], rtol=0, atol=last_bit)


def lying_flac(path: Path, n_samples: int, bits_of_noise: int = 0) -> None:
    """A whole FLAC file whose header declares another length (36 bits from byte 21 on)."""
    noise = np.random.default_rng(0).integers(-(2**bits_of_noise), 2**bits_of_noise, 200_000, np.int16)
    soundfile.write(path, noise if bits_of_noise else np.zeros(20_000), RATE_HZ, format="FLAC")
    data = bytearray(path.read_bytes())
    high, low = divmod(n_samples, 1 << 32)
    data[21] = (data[21] & 0xF0) | high
    data[22:26] = struct.pack(">I", low)
    path.write_bytes(data)


@pytest.mark.parametrize("load", [read_audio, load_recording, load_orchestra, lambda p: FileSource(p).__enter__()])
def test_a_length_the_bytes_cannot_hold_is_refused_before_memory_is_taken(tmp_path: Path, load: object) -> None:
    path = tmp_path / "huge.flac"
    lying_flac(path, 43 << 30)
    assert path.stat().st_size < 10_000
    with pytest.raises(AudioFileError, match=rf"declares {43 << 30} samples, more than its \d+ bytes can hold"):
        load(path)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("n_samples", "bits", "told"),
    [
        (43 << 30, 0, "declares"),
        (2 << 30, 14, "memory"),  # its 300 kB could hold that, if they were silence
    ],
)
def test_it_is_refused_with_little_memory_to_take(tmp_path: Path, n_samples: int, bits: int, told: str) -> None:
    lying_flac(tmp_path / "huge.flac", n_samples, bits)
    code = (
        "import sys; from pathlib import Path; from follower.files.audio_file import read_audio\n"
        "from follower.errors import AudioFileError\n"
        "try: read_audio(Path(sys.argv[1]))\n"
        "except AudioFileError as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "huge.flac")],
        capture_output=True, text=True, cwd=REPOSITORY,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )  # fmt: skip
    assert told in done.stdout, done.stderr


def test_long_silence_is_no_lie(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(600 * RATE_HZ, np.int16), RATE_HZ)
    samples, _ = read_audio(path)
    assert len(samples) == 600 * RATE_HZ


@pytest.mark.parametrize("load", [read_audio, load_recording, load_orchestra, lambda p: FileSource(p).__enter__()])
def test_a_file_damaged_in_the_middle_is_one_sentence(tmp_path: Path, load: object) -> None:
    path = tmp_path / "damaged.flac"
    soundfile.write(path, noise(4.0), RATE_HZ)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40_000] = np.random.default_rng(1).bytes(40_000)
    path.write_bytes(data)
    with pytest.raises(AudioFileError, match=r"damaged\.flac is damaged \(.+\); export it again"):
        load(path)  # type: ignore[operator]


@pytest.mark.parametrize("load", [read_audio, load_orchestra])
def test_a_sample_that_is_no_number_is_named(tmp_path: Path, load: object) -> None:
    x = noise(2.0)
    x[RATE_HZ, 1] = np.nan
    soundfile.write(tmp_path / "x.wav", x, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioFileError, match=r"not a number at 1\.000 s"):
        load(tmp_path / "x.wav")  # type: ignore[operator]


@pytest.mark.parametrize("load", [read_audio, load_recording, load_orchestra, lambda p: FileSource(p).__enter__()])
def test_samples_no_recording_has_are_refused_before_they_overflow(tmp_path: Path, load: object) -> None:
    sound = noise(2.0)
    sound[RATE_HZ] = 3e38
    soundfile.write(tmp_path / "loud.wav", sound, RATE_HZ, "FLOAT")
    with pytest.raises(AudioFileError, match=r"loud\.wav has a sample of 3e\+38 times full scale at 1\.000 s"):
        load(tmp_path / "loud.wav")  # type: ignore[operator]


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", noise(0.1), RATE_HZ)
    with AudioFile(tmp_path / "x.wav") as file:
        file.close()
    assert not file.is_open
