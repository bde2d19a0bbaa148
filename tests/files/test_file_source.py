from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.errors import AudioFileError, InputError
from follower.files.source import FileSource


class FakeClock:
    """Time passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds


def recording(path: Path, n: int = 5000, rate_hz: int = 8000) -> np.ndarray:
    x = (np.arange(n) % 100 / 200).astype(np.float32)
    soundfile.write(path, np.stack([x, -0.5 * x], axis=1), rate_hz, subtype="FLOAT")
    return 0.25 * x


@pytest.mark.parametrize("block_samples", [1, 512, 4999, 5000, 10_000])
def test_blocks_hold_the_whole_file_with_a_running_counter(tmp_path: Path, block_samples: int) -> None:
    mono = recording(tmp_path / "p.wav")
    with FileSource(tmp_path / "p.wav", block_samples, speed=None) as source:
        blocks = list(source.blocks())
        assert source.sample_rate_hz == 8000
        assert source.duration_s == 0.625
    assert [b.first_sample for b in blocks] == list(range(0, 5000, block_samples))
    assert all(len(b.samples) == block_samples for b in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]), mono)


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_each_block_comes_when_a_device_would_have_captured_it(tmp_path: Path, speed: float) -> None:
    recording(tmp_path / "p.wav")
    clock = FakeClock()
    with FileSource(tmp_path / "p.wav", 512, speed, clock, clock.wait) as source:
        for block in source.blocks():
            due_s = 100.0 + (block.first_sample + len(block.samples)) / 8000 / speed
            assert clock.now_s == pytest.approx(due_s, abs=1e-9)
            assert block.capture_time_s == pytest.approx(due_s, abs=1e-9)


def test_as_fast_as_possible_never_waits(tmp_path: Path) -> None:
    recording(tmp_path / "p.wav")
    clock = FakeClock()
    with FileSource(tmp_path / "p.wav", 512, None, clock, clock.wait) as source:
        assert len(list(source.blocks())) == 10
    assert clock.waits == []


def test_a_late_consumer_is_not_made_to_wait_again(tmp_path: Path) -> None:
    recording(tmp_path / "p.wav")
    clock = FakeClock()
    with FileSource(tmp_path / "p.wav", 512, 1.0, clock, clock.wait) as source:
        blocks = source.blocks()
        next(blocks)
        clock.now_s += 0.3
        before = len(clock.waits)
        for _ in range(4):
            next(blocks)
        assert len(clock.waits) == before


def test_stop_ends_the_blocks(tmp_path: Path) -> None:
    recording(tmp_path / "p.wav")
    with FileSource(tmp_path / "p.wav", 512, None) as source:
        blocks = source.blocks()
        next(blocks)
        source.stop()
        assert list(blocks) == []


def test_what_no_device_could_deliver_is_refused_when_opened(tmp_path: Path) -> None:
    path = tmp_path / "p.wav"
    with pytest.raises(AudioFileError, match="cannot read"), FileSource(path):
        pass
    path.write_text("text")
    with pytest.raises(AudioFileError, match="not an audio file"), FileSource(path):
        pass
    for n in (0, 1):
        soundfile.write(path, np.zeros(n), 8000)
        with pytest.raises(AudioFileError, match=f"holds {n} samples"), FileSource(path):
            pass
    x = np.zeros(9000)
    x[8000] = np.inf
    soundfile.write(path, x, 8000, subtype="FLOAT")
    with pytest.raises(AudioFileError, match=r"not a number at 1\.000 s"), FileSource(path):
        pass


def test_silence_and_clipping_are_no_errors_live(tmp_path: Path) -> None:
    for x in (np.zeros(2000), np.sign(np.sin(np.arange(2000.0)))):
        soundfile.write(tmp_path / "p.wav", x, 8000)
        with FileSource(tmp_path / "p.wav", speed=None) as source:
            assert sum(len(b.samples) for b in source.blocks()) == 2000


def test_impossible_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="block size is 0"):
        FileSource(tmp_path / "p.wav", 0)
    with pytest.raises(InputError, match="speed is -1"):
        FileSource(tmp_path / "p.wav", speed=-1.0)
    with pytest.raises(InputError, match="not open"):
        _ = FileSource(tmp_path / "p.wav").sample_rate_hz
