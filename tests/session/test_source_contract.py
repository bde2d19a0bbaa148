"""Every registered source keeps the contract of `follower.session.source.Source`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from follower.audio import portaudio
from follower.errors import ConfigError, ProtocolError
from follower.events import AudioBlock
from follower.session import plugins
from follower.websocket.source import MAX_AMPLITUDE, WebSocketSource, decode

RATE = 44100
BLOCK = 512
BLOCKS = 8

Maker = Callable[[Path, pytest.MonkeyPatch], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def file_source(folder: Path, _: pytest.MonkeyPatch) -> Iterator[Any]:
    path = folder / "p.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, BLOCKS * BLOCK), RATE)
    with plugins.load(plugins.SOURCES["file"])(path, BLOCK, speed=1e3) as source:
        yield source


@contextlib.contextmanager
def microphone_source(_: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    device = portaudio.Device(0, "Mic", "Test", 1, 0, RATE, True)
    stream = SimpleNamespace(active=True, samplerate=RATE, close=lambda: None)
    monkeypatch.setattr(portaudio, "find_input", lambda _: device)
    monkeypatch.setattr(portaudio, "open_input", lambda *_: stream)
    monkeypatch.setattr(portaudio, "start", lambda *_: None)
    with plugins.load(plugins.SOURCES["microphone"])(block_samples=BLOCK) as source:
        for _n in range(BLOCKS):
            times = SimpleNamespace(inputBufferAdcTime=0.0, currentTime=0.0)
            source._callback(np.zeros((BLOCK, 1), np.float32), BLOCK, times, SimpleNamespace(input_overflow=False))
        yield source


@contextlib.contextmanager
def websocket_source(_: Path, __: pytest.MonkeyPatch) -> Iterator[Any]:
    with plugins.load(plugins.SOURCES["websocket"])(RATE) as source:
        for _n in range(BLOCKS):
            assert source.offer(np.zeros(BLOCK, "<f4").tobytes())
        yield source


MAKERS: dict[str, Maker] = {"file": file_source, "microphone": microphone_source, "websocket": websocket_source}


def test_every_registered_source_is_tried() -> None:
    assert set(MAKERS) == set(plugins.SOURCES), "a new source needs a maker here"


@pytest.fixture(params=sorted(plugins.SOURCES))
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with MAKERS[request.param](tmp_path, monkeypatch) as opened:
        yield opened


def test_blocks_are_mono_float32_on_a_counter_and_a_clock(source: Any) -> None:
    assert source.sample_rate_hz == RATE
    counter, captured_s, sounding = 0, -np.inf, 0
    for block in source.blocks():
        assert isinstance(block, AudioBlock)
        assert type(block.first_sample) is int
        assert block.samples.dtype == np.float32 and block.samples.ndim == 1
        assert block.first_sample == counter
        assert block.capture_time_s is not None and np.isfinite(block.capture_time_s)
        assert block.capture_time_s >= captured_s
        counter, captured_s = counter + len(block.samples), block.capture_time_s
        sounding += bool(len(block.samples))
        if sounding == BLOCKS:
            source.stop()
    assert counter == BLOCKS * BLOCK


def test_stop_from_another_thread_ends_it(source: Any) -> None:
    stopping = threading.Timer(0.0, source.stop)
    stopping.start()
    count = sum(1 for _ in source.blocks())
    stopping.join()
    assert count < 10 * BLOCKS, "it went on long after it was stopped"


def test_leaving_twice_does_no_harm(source: Any) -> None:
    source.__exit__(None, None, None)
    source.__exit__(None, None, None)


@pytest.mark.parametrize(("sample_format", "dtype", "scale"), [("f32le", "<f4", 1.0), ("s16le", "<i2", 1 / 32768)])
def test_decoding(sample_format: Any, dtype: str, scale: float) -> None:
    stereo = np.array([[1, 0], [-1, -1], [0, 0]]) / scale
    mono = decode(np.clip(stereo, -32768, 32767).astype(dtype).tobytes(), sample_format, 2)
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, [0.5, -1.0, 0.0], atol=1e-4)


def test_absurd_floats_are_clipped_and_odd_lengths_refused() -> None:
    assert decode(np.array([1e30], "<f4").tobytes(), "f32le", 1).max() == 4.0
    with pytest.raises(ProtocolError, match="3 bytes"):
        decode(b"abc", "s16le", 1)
    with pytest.raises(ProtocolError, match="not a number"):
        decode(np.array([np.inf], "<f4").tobytes(), "f32le", 1)


def test_the_loudest_floats_of_two_channels_do_not_overflow() -> None:
    loudest = np.full((4, 2), np.finfo(np.float32).max, "<f4")
    assert decode(loudest.tobytes(), "f32le", 2).tolist() == [MAX_AMPLITUDE] * 4


def test_a_websocket_source_takes_no_more_than_its_capacity() -> None:
    frame = np.zeros(1000, "<f4").tobytes()
    with WebSocketSource(1000, capacity_s=2.0) as source:
        assert [source.offer(frame) for _ in range(3)] == [True, True, False]
        blocks = source.blocks()
        next(blocks)
        assert source.offer(frame)
        assert not source.offer(frame)
        assert WebSocketSource(1000, capacity_s=0.5).offer(frame), "one frame is always taken"


def test_frames_without_samples_do_not_pile_up() -> None:
    with WebSocketSource(1000) as source:
        for _ in range(100):
            assert source.offer(b"")
        assert source.offer(np.ones(10, "<f4").tobytes())
        block = next(source.blocks())
        assert isinstance(block, AudioBlock) and len(block.samples) == 10


@pytest.mark.parametrize("where", ["nothing", "a.b:", ":C", "no_such_module:C", "follower.session.plugins:nothing"])
def test_a_plugin_that_is_not_there_is_named(where: str) -> None:
    with pytest.raises(ConfigError, match=r"plug-in|MODULE:CLASS"):
        plugins.create(where)


def test_a_plugin_that_cannot_be_made_says_how() -> None:
    with pytest.raises(ConfigError, match="ARGUMENT"):
        plugins.create("follower.websocket.source:WebSocketSource")
