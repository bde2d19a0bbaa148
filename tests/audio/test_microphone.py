"""The microphone source against a stand-in for sounddevice: counters, gaps, lost devices, missing libraries."""

from __future__ import annotations

import importlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from follower.audio import device_thread, microphone, portaudio
from follower.audio.microphone import MicrophoneSource
from follower.cli import main
from follower.commands.devices import level_db, level_text
from follower.errors import ConfigError, DeviceError, MissingDependencyError
from follower.events import AudioBlock, Gap, Notice
from follower.session.runner import run
from follower.testing import FakeEngine, ListSink

RATE = 48000
BLOCK = 256


class PortAudioError(Exception):
    pass


@dataclass
class FakeStream:
    """One opened input stream; the test plays PortAudio's thread by calling `capture`."""

    options: dict[str, Any]
    active: bool = False
    closed: bool = False

    @property
    def samplerate(self) -> float:
        return float(self.options["samplerate"])

    def start(self) -> None:
        self.active = True

    def close(self, ignore_errors: bool = True) -> None:
        self.active, self.closed = False, True

    def capture(
        self, value: float = 0.5, n: int = BLOCK, adc_s: float = 0.0, stream_s: float = 0.0, overflow: bool = False
    ) -> None:
        data = np.full((n, self.options["channels"]), value, np.float32)
        times = SimpleNamespace(inputBufferAdcTime=adc_s, currentTime=stream_s)
        self.options["callback"](data, n, times, SimpleNamespace(input_overflow=overflow))
        data[:] = np.nan  # PortAudio uses its buffer again


@dataclass
class FakeSoundDevice:
    """What this project uses of the sounddevice module."""

    devices: list[dict[str, Any]]
    streams: list[FakeStream] = field(default_factory=list)
    refusals: int = 0
    rescans: int = 0
    PortAudioError: type[Exception] = PortAudioError
    default: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(device=(1, 0)))

    def query_devices(self) -> list[dict[str, Any]]:
        return self.devices

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def InputStream(self, **options: Any) -> FakeStream:  # noqa: N802
        if self.refusals:
            self.refusals -= 1
            raise PortAudioError("Device unavailable", -9985)
        self.streams.append(FakeStream(options))
        return self.streams[-1]

    def _terminate(self) -> None:
        self.rescans += 1

    def _initialize(self) -> None:
        pass


def device(name: str, inputs: int, rate: float = RATE) -> dict[str, Any]:
    return {
        "name": name, "hostapi": 0, "max_input_channels": inputs, "max_output_channels": 2, "default_samplerate": rate
    }  # fmt: skip


@pytest.fixture
def sd(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSoundDevice]:
    fake = FakeSoundDevice([device("Loudspeaker", 0), device("Piano Mic", 1), device("Interface XY", 8, 44100.0)])
    monkeypatch.setattr(portaudio, "load", lambda: fake)
    monkeypatch.setattr(microphone, "IDLE_S", 0.001)
    yield fake
    device_thread.ask(lambda: None).result()  # what a test left behind must not meet the real PortAudio


class Clock:
    """Simulated time; every look moves it on by `step_s`."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.s = 500.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.s += self.step_s
        return self.s


def test_the_default_input_is_opened_as_it_is(sd: FakeSoundDevice) -> None:
    with MicrophoneSource() as source:
        options = sd.streams[0].options
        assert (options["device"], options["samplerate"], options["channels"]) == (1, RATE, 1)
        assert (source.sample_rate_hz, source.name) == (RATE, "Piano Mic")
    assert sd.streams[0].closed


@pytest.mark.parametrize("wanted", [2, "2", "Interface XY", "xy"])
def test_a_device_by_number_or_name(sd: FakeSoundDevice, wanted: int | str) -> None:
    with MicrophoneSource(wanted, sample_rate_hz=96000, channels=4, block_samples=64):
        options = sd.streams[0].options
    assert (options["device"], options["samplerate"], options["channels"], options["blocksize"]) == (2, 96000, 4, 64)


@pytest.mark.parametrize("wanted", [0, "Loudspeaker", "none", "i", 99])
def test_a_device_that_is_not_one_input(sd: FakeSoundDevice, wanted: int | str) -> None:
    with pytest.raises(DeviceError, match="follower devices"), MicrophoneSource(wanted):
        pass


def test_no_input_at_all(sd: FakeSoundDevice) -> None:
    sd.devices = [device("Loudspeaker", 0)]
    with pytest.raises(DeviceError, match="no audio input"), MicrophoneSource():
        pass


def test_a_device_that_refuses_is_named_with_what_to_try(sd: FakeSoundDevice) -> None:
    sd.refusals = 1
    with pytest.raises(DeviceError, match=r"Piano Mic .* 48000 Hz .* --rate"), MicrophoneSource():
        pass


@pytest.mark.parametrize("bad", [{"sample_rate_hz": 0}, {"channels": -1}, {"block_samples": 0}])
def test_what_cannot_be(bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give 1 or more"):
        MicrophoneSource(**bad)  # type: ignore[arg-type]


def test_blocks_are_copies_mixed_to_mono_on_one_counter(sd: FakeSoundDevice) -> None:
    with MicrophoneSource(2) as source:
        for value in (0.25, 0.5):
            sd.streams[0].capture(value)
        blocks = source.blocks()
        for n, value in enumerate((0.25, 0.5)):
            block = next(blocks)
            assert isinstance(block, AudioBlock)
            assert block.first_sample == n * BLOCK
            assert block.samples.dtype == np.float32
            np.testing.assert_array_equal(block.samples, np.full(BLOCK, value, np.float32))


def test_capture_time_is_that_of_the_last_sample(sd: FakeSoundDevice) -> None:
    with MicrophoneSource(clock=Clock()) as source:
        # The first sample was captured 20 ms before the callback; the last one a block's length later.
        sd.streams[0].capture(adc_s=10.0, stream_s=10.02)
        sd.streams[0].capture(adc_s=0.0, stream_s=0.0)  # an interface without times
        blocks = source.blocks()
        first, second = next(blocks), next(blocks)
        assert isinstance(first, AudioBlock) and isinstance(second, AudioBlock)
        assert first.capture_time_s == pytest.approx(500.0 - 0.02 + BLOCK / RATE)
        assert second.capture_time_s == 500.0


def follow(source: MicrophoneSource) -> ListSink:
    sink = ListSink()
    run(source, FakeEngine(RATE), [sink], clock=lambda: 0.0)
    return sink


def test_a_full_queue_drops_and_reports_a_gap(sd: FakeSoundDevice) -> None:
    capacity_blocks = 4
    with MicrophoneSource(capacity_s=capacity_blocks * BLOCK / RATE) as source:
        blocks = source.blocks()
        for _ in range(capacity_blocks + 3):
            sd.streams[0].capture()
        taken = [next(blocks) for _ in range(capacity_blocks)]
        sd.streams[0].capture()
        after = next(blocks)
        assert isinstance(after, AudioBlock) and isinstance(taken[-1], AudioBlock)
        assert taken[-1].first_sample == (capacity_blocks - 1) * BLOCK
        assert after.first_sample == (capacity_blocks + 3) * BLOCK, "the counter counts what was dropped"


def test_the_gap_is_an_event(sd: FakeSoundDevice) -> None:
    with MicrophoneSource(capacity_s=BLOCK / RATE) as source:
        stream = sd.streams[0]
        stream.capture()
        stream.capture()  # dropped
        original = source.blocks

        def blocks() -> Any:
            for n, block in enumerate(original()):
                yield block
                if n == 0:
                    stream.capture()
                else:
                    source.stop()

        source.blocks = blocks  # type: ignore[method-assign]
        sink = follow(source)
    assert [e.lost_samples for e in sink.events if isinstance(e, Gap)] == [BLOCK]


def test_an_overflow_in_the_driver_advances_the_counter_by_the_clock(sd: FakeSoundDevice) -> None:
    clock = Clock()
    with MicrophoneSource(clock=clock) as source:
        blocks = source.blocks()
        sd.streams[0].capture()
        first = next(blocks)
        clock.s += (BLOCK + 1000) / RATE  # 1000 samples more than the block that comes now
        sd.streams[0].capture(overflow=True)
        second = next(blocks)
        sd.streams[0].capture(overflow=True)  # an overflow that took no time still lost something
        third = next(blocks)
        assert isinstance(first, AudioBlock) and isinstance(second, AudioBlock) and isinstance(third, AudioBlock)
        assert second.first_sample == BLOCK + 1000
        assert third.first_sample == second.first_sample + BLOCK + 1


def test_silence_yields_empty_blocks_so_that_commands_are_taken(sd: FakeSoundDevice) -> None:
    with MicrophoneSource() as source:
        block = next(source.blocks())
        assert isinstance(block, AudioBlock) and len(block.samples) == 0


def collect(source: MicrophoneSource, on_item: Callable[[int, AudioBlock | Notice], None]) -> list[AudioBlock | Notice]:
    items = []
    for n, item in enumerate(source.blocks()):
        items.append(item)
        on_item(n, item)
    return items


def test_a_lost_device_is_reported_reopened_and_the_session_goes_on(sd: FakeSoundDevice) -> None:
    clock = Clock()

    def rescan() -> None:
        clock.s += 1.0  # each attempt takes a second of simulated time
        portaudio.rescan()

    with MicrophoneSource(clock=clock, rescan=rescan) as source:
        sd.streams[0].capture()
        captured: list[bool] = []

        def on_item(n: int, item: AudioBlock | Notice) -> None:
            if n == 0:
                sd.refusals = 2
                sd.streams[0].active = False
            elif isinstance(item, AudioBlock) and len(item.samples):
                source.stop()
            elif isinstance(item, AudioBlock) and len(sd.streams) == 1:
                clock.s += 10.0  # ends the wait before the next attempt
            elif isinstance(item, AudioBlock) and not captured:
                captured.append(True)
                sd.streams[1].capture()

        items = collect(source, on_item)
    notices = [item.message for item in items if isinstance(item, Notice)]
    name = "the audio input Piano Mic"
    assert notices == [f"{name} gives no audio; trying to reopen it", f"{name} is back"]
    assert sd.rescans == 3
    assert sd.streams[0].closed
    sounding = [item for item in items if isinstance(item, AudioBlock) and len(item.samples)]
    assert len(sounding) == 2
    # The absence counts by the clock: sample counter and seconds stay together.
    before_s, after_s = sounding[0].capture_time_s, sounding[1].capture_time_s
    assert before_s is not None and after_s is not None
    away_s = after_s - before_s
    assert sounding[1].first_sample == pytest.approx(away_s * RATE, abs=1)
    assert away_s > 3.0


def test_a_stream_whose_callback_falls_silent_counts_as_lost(sd: FakeSoundDevice) -> None:
    clock = Clock()
    with MicrophoneSource(clock=clock) as source:
        blocks = source.blocks()
        idle = next(blocks)
        assert isinstance(idle, AudioBlock)
        clock.s += microphone.GONE_AFTER_S
        assert isinstance(next(blocks), AudioBlock), "a new stream may take longer to begin"
        sd.streams[0].capture()
        next(blocks)
        clock.s += microphone.GONE_AFTER_S
        notice = next(blocks)
        assert isinstance(notice, Notice) and "gives no audio" in notice.message
        while len(sd.streams) == 1:  # it is opened in a thread of its own
            item = next(blocks)
            assert isinstance(item, AudioBlock) and not len(item.samples)
        assert sd.streams[0].closed and len(sd.streams) == 2


def test_stop_ends_the_session_even_while_the_device_is_away(sd: FakeSoundDevice) -> None:
    with MicrophoneSource() as source:
        sd.streams[0].active = False
        sd.refusals = 1000

        def on_item(n: int, _: AudioBlock | Notice) -> None:
            if n == 1:
                source.stop()

        assert len(collect(source, on_item)) == 2


def test_a_program_that_was_stopped_does_not_take_its_device_for_lost(sd: FakeSoundDevice) -> None:
    clock = Clock()
    with MicrophoneSource(clock=clock) as source:
        blocks = source.blocks()
        sd.streams[0].capture()
        next(blocks)

        def get(timeout: float) -> None:
            clock.s += timeout + 3.0  # it is stopped while it waits
            raise queue.Empty

        source._queue = SimpleNamespace(get=get)  # type: ignore[assignment]
        block = next(blocks)
        assert isinstance(block, AudioBlock) and len(block.samples) == 0
        assert len(sd.streams) == 1 and not sd.streams[0].closed


class HangingStream(FakeStream):
    """A stream of a sound server that was stopped: closing it waits until the test lets it go on."""

    go_on = threading.Event()

    def close(self, ignore_errors: bool = True) -> None:
        self.go_on.wait()
        super().close(ignore_errors)


@pytest.fixture
def hanging(sd: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSoundDevice]:
    HangingStream.go_on.clear()
    monkeypatch.setattr(sys.modules[__name__], "FakeStream", HangingStream)
    monkeypatch.setattr(device_thread, "CLOSES_WITHIN_S", 0.01)
    yield sd
    HangingStream.go_on.set()


def test_a_sound_server_that_hangs_keeps_neither_commands_nor_the_end(hanging: FakeSoundDevice) -> None:
    with MicrophoneSource() as source:
        hanging.streams[0].active = False

        def on_item(n: int, item: AudioBlock | Notice) -> None:
            assert n == 0 or isinstance(item, AudioBlock), "commands are taken at every block"
            if n == 5:
                source.stop()

        assert len(collect(source, on_item)) == 6
    assert not hanging.streams[0].closed and len(hanging.streams) == 1
    HangingStream.go_on.set()
    device_thread.ask(lambda: None).result()
    assert [s.closed for s in hanging.streams] == [True, True], "what it opens when nobody waits is closed again"


def test_a_device_that_cannot_be_closed_is_left_to_the_system(hanging: FakeSoundDevice) -> None:
    with MicrophoneSource():
        pass
    assert not hanging.streams[0].closed


@pytest.mark.parametrize(
    ("error", "words"),
    [(ModuleNotFoundError("no sounddevice"), "pip install"), (OSError("PortAudio library not found"), "libportaudio2")],
)
def test_what_is_missing_is_named_in_one_line_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    really = importlib.import_module

    def import_module(name: str) -> object:
        if name == "sounddevice":
            raise error
        return really(name)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(MissingDependencyError, match=words):
        portaudio.load()
    assert main(["devices"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]


def test_devices_lists_them(sd: FakeSoundDevice, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["*", "1", "1", "in", "2", "out", "48000", "Hz", "ALSA:", "Piano", "Mic"]
    assert lines[-1] == "* is the default input"


def test_level_and_meter() -> None:
    assert level_db(np.full(10, 1.0, np.float32)) == 0.0
    assert level_db(np.zeros(10, np.float32)) == -np.inf
    assert level_text(-30.04, 0.5) == " -30.0 dB"
    assert level_text(0.0, 1.0).endswith("CLIPPING")
