"""The monitor page in a real browser: it shows the position, commands, and sends a microphone that is received."""

from __future__ import annotations

import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from follower.events import AudioBlock, Event, State, StateChange
from follower.piece.manifest import MANIFEST
from follower.protocol.commands import Pause, Seek
from follower.session.controls import Control, ControlQueue
from follower.testing import SESSION, FakeEngine, position
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.sink import WebSocketSink
from follower.websocket.thread import ServerThread
from tests.browser import Page, chromium
from tests.websocket.test_server import Prepared

pytestmark = pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)")
WAIT_S = 30.0
TOKEN = "a-token-that-is-long-enough"
TONE_HZ = 441.0


class Controls(ControlQueue):
    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)

    def put(self, control: Control) -> None:
        super().put(control)
        self.arrived.release()


def test_it_shows_the_position_and_commands(tmp_path: Path) -> None:
    controls = Controls()
    with (
        WebSocketSink(0, controls, Access("127.0.0.1", TOKEN)) as sink,
        Page(f"http://127.0.0.1:{sink.port}/#token={TOKEN}", tmp_path) as page,
    ):
        page.wait_until("document.getElementById('connection')?.textContent === 'connected'")
        sink.begin(SESSION)
        sink.send(StateChange(0, 44100, State.PAUSED, State.FOLLOWING, "the pianist <b>stopped</b>"))
        sink.send(position(3, 62.5, State.PAUSED))
        page.wait_until("document.getElementById('place').textContent === '1:02.5'")
        assert page.text("duration") == "1:40.0"
        assert page.text("state") == "paused"
        assert (page.text("rate"), page.text("confidence"), page.text("latency")) == ("1.00", "50 %", "2.5 ms")
        assert page.value("document.getElementById('orchestra-bar').value") == 62.5
        assert page.value("document.getElementById('mix-bar').value") == 63.5
        assert page.value("document.getElementById('confidence-bar').value") == 0.5
        assert "the pianist <b>stopped</b>" in page.text("log"), "what the server says is text, never markup"
        assert page.value("document.getElementById('sessions').hidden") is True
        page.click("pause")
        page.value("document.getElementById('seek').value = '12.5'")
        page.value("document.getElementById('seek-form').requestSubmit()")
        for _ in range(2):
            assert controls.arrived.acquire(timeout=WAIT_S)
        assert controls.take() == [Pause(), Seek(12.5)]
        assert page.faults == []
        assert page.requests
        for url in page.requests:
            assert url.split("/")[2] == f"127.0.0.1:{sink.port}", "nothing comes from elsewhere"


class Listening(FakeEngine):
    """Keeps what it hears."""

    received: list[np.ndarray]

    def process(self, block: AudioBlock) -> list[Event]:
        self.received.append(block.samples)
        return super().process(block)


def test_it_sends_the_browsers_microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tone = tmp_path / "tone.wav"
    with wave.open(str(tone), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(48000)
        f.writeframes((16384 * np.sin(2 * np.pi * TONE_HZ * np.arange(48000 * 20) / 48000)).astype("<i2").tobytes())
    for name in ("bach", "rach"):
        (tmp_path / "caches" / name).mkdir(parents=True)
        (tmp_path / "caches" / name / MANIFEST).write_text("{}")
    engines: list[Listening] = []

    def engine(cache: Prepared, rate_hz: int, method: str, start_s: float | None) -> FakeEngine:
        engines.append(Listening(rate_hz, cache.path.name))
        engines[-1].received = []
        return engines[-1]

    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", Prepared)
    monkeypatch.setattr("follower.websocket.audio_sessions.Engine", engine)
    caches = CacheFolder(tmp_path / "caches")
    with (
        ServerThread(0, Access("127.0.0.1"), Limits(), lambda _: AudioSessions(caches, 4)) as server,
        Page(f"http://127.0.0.1:{server.port}/", tmp_path, f"--use-file-for-fake-audio-capture={tone}") as page,
    ):
        page.wait_until("document.getElementById('cache')?.options.length === 2")
        page.value("document.getElementById('cache').value = 'rach'")
        page.value("document.getElementById('microphone-form').requestSubmit()")
        # Fake engines claim the length of the audio they received as the place.
        page.wait_until("parseFloat(document.getElementById('place').textContent.split(':')[1]) > 1.0")
        assert page.text("state") == "following"
        assert page.value("document.getElementById('level').value") > -60
        page.click("microphone-end")
        page.wait_until("document.getElementById('log').textContent.includes('ended: the audio is over')")
        assert page.value("document.getElementById('microphone').disabled") is False
        assert page.faults == []
    assert [e.method for e in engines] == ["rach"]
    audio = np.concatenate(engines[0].received)
    audio = audio[len(audio) // 4 :]  # the browser fades in
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    peak_hz = np.argmax(spectrum) * engines[0].sample_rate_hz / len(audio)
    assert peak_hz == pytest.approx(TONE_HZ, abs=4.0)
