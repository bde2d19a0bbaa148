"""The monitor page in a real browser: it shows the position, commands, and sends a microphone that is received."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from follower.events import AudioBlock, Event, State, StateChange
from follower.piece.manifest import MANIFEST
from follower.protocol.commands import Pause, Seek
from follower.testing import SESSION, FakeEngine, position
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.sink import WebSocketSink
from follower.websocket.thread import ServerThread
from tests.browser import Page, chromium
from tests.controls import ArrivalQueue
from tests.websocket.test_server import Prepared

pytestmark = pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)")
WAIT_S = 30.0
TOKEN = "a-token-that-is-long-enough"
TONE_HZ = 441.0


def seek(page: Page, text: str) -> str:
    """Ask for a position; return what the page says against it."""
    page.value(f"document.getElementById('seek').value = '{text}'")
    page.value("document.getElementById('seek-form').requestSubmit()")
    return str(page.value("document.getElementById('seek').validationMessage"))


def test_it_shows_the_position_and_commands(tmp_path: Path) -> None:
    controls = ArrivalQueue()
    with (
        WebSocketSink(0, controls, Access("127.0.0.1", TOKEN)) as sink,
        Page(f"http://127.0.0.1:{sink.port}/#token={TOKEN}", tmp_path) as page,
    ):
        page.wait_until("document.getElementById('connection')?.textContent === 'connected'")
        assert page.value("document.getElementById('pause').matches(':disabled')"), "nothing to pause yet"
        sink.begin(replace(SESSION, piece="Bach <1052>"))
        sink.send(StateChange(0, 44100, State.PAUSED, State.FOLLOWING, "the pianist <b>stopped</b>"))
        sink.send(position(3, 62.5, State.PAUSED))
        page.wait_until("document.getElementById('position').textContent === '1:02.5'")
        assert page.text("duration") == "1:40.0"
        assert page.text("piece") == "Bach <1052>" and page.value("document.title") == "Bach <1052> - Concerto Follower"
        assert page.text("state") == "paused"
        assert (page.text("rate"), page.text("confidence"), page.text("latency")) == ("1.00 \u00d7", "50 %", "2.5 ms")
        assert page.value("document.getElementById('orchestra-bar').value") == 62.5
        assert page.value("document.getElementById('mix-bar').value") == 63.5
        assert page.value("document.getElementById('confidence-bar').value") == 0.5
        assert "the pianist <b>stopped</b>" in page.text("log"), "what the server says is text, never markup"
        assert page.value("document.getElementById('sessions').hidden") is True
        page.click("pause")
        seek(page, "12.5")
        seek(page, " 1:02,5 ")
        for _ in range(3):
            assert controls.arrived.acquire(timeout=WAIT_S)
        assert controls.take() == [Pause(), Seek(12.5), Seek(62.5)]
        for nonsense in ("", "-1", "soon", "1:70", "1e1"):
            assert "as in 1:30" in seek(page, nonsense), nonsense
        assert seek(page, "1:40.5") == "The orchestra recording ends at 1:40.0"
        assert page.faults == []
        assert page.requests
        for url in page.requests:
            assert url.split("/")[2] == f"127.0.0.1:{sink.port}", "nothing comes from elsewhere"


LONG_NAME = "Rachmaninoff - Piano Concerto No. 2 in C minor op. 18 - I. Moderato (Music Minus One)"
SCREENS = {"phone": (390, 844), "phone on its side": (844, 390), "laptop": (1280, 800), "wall": (3840, 2160)}


def test_it_fits_every_screen(tmp_path: Path) -> None:
    (tmp_path / "caches" / LONG_NAME).mkdir(parents=True)
    (tmp_path / "caches" / LONG_NAME / MANIFEST).write_text("{}")
    caches = CacheFolder(tmp_path / "caches")
    with (
        ServerThread(0, Access("127.0.0.1"), Limits(), lambda _: AudioSessions(caches, 4)) as server,
        Page(f"http://127.0.0.1:{server.port}/", tmp_path) as page,
    ):
        page.wait_until("document.getElementById('cache')?.options.length === 1")
        for screen, (width, height) in SCREENS.items():
            page.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
            assert page.value("document.documentElement.scrollWidth") <= width, screen
            digits = page.value("document.getElementById('position').getBoundingClientRect()['height']")
            assert digits > 0.07 * min(width, height), f"on a {screen} the position is read from the keyboard"
            assert page.value("document.querySelector('main').clientWidth") > 0.7 * width, screen


class Listening(FakeEngine):
    """Keeps what it receives."""

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
    monkeypatch.setattr("follower.engine.Engine", engine)
    caches = CacheFolder(tmp_path / "caches")
    with (
        ServerThread(0, Access("127.0.0.1"), Limits(), lambda _: AudioSessions(caches, 4)) as server,
        Page(f"http://127.0.0.1:{server.port}/", tmp_path, f"--use-file-for-fake-audio-capture={tone}") as page,
    ):
        page.wait_until("document.getElementById('cache')?.options.length === 2")
        page.value("document.getElementById('cache').value = 'rach'")
        page.value("document.getElementById('microphone-form').requestSubmit()")
        # Fake engines take the length of the audio they received for the position.
        page.wait_until("parseFloat(document.getElementById('position').textContent.split(':')[1]) > 1.0")
        assert page.text("state") == "following"
        assert page.value("document.getElementById('level').value") > -60
        shown = "document.getElementById('microphone-end').checkVisibility()"
        assert page.value(shown), "who sends can end it"
        page.click("microphone-end")
        page.wait_until("document.getElementById('log').textContent.includes('ended: the audio is over')")
        assert page.value("document.getElementById('microphone').disabled") is False
        assert page.value("document.getElementById('controls').disabled") is True, "there is nothing left to command"
        assert page.faults == []
    assert [e.method for e in engines] == ["rach"]
    audio = np.concatenate(engines[0].received)
    audio = audio[len(audio) // 4 :]  # the browser fades in
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    peak_hz = np.argmax(spectrum) * engines[0].sample_rate_hz / len(audio)
    assert peak_hz == pytest.approx(TONE_HZ, abs=4.0)
