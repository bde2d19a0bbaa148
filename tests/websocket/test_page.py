"""The practice room's page in a real browser: states, commands, microphone, interruptions, screens, accessibility."""

from __future__ import annotations

import base64
import os
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from follower.events import AudioBlock, Elsewhere, Event, Markers, Practice, State, StateChange
from follower.library.library import Library
from follower.piece.piece import Piece
from follower.protocol.commands import Pause
from follower.protocol.practice_commands import Begin, Mark, Tempo, Volume
from follower.testing import SESSION, FakeEngine, position
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.sink import WebSocketSink
from follower.websocket.thread import ServerThread
from tests.browser import Page, chromium
from tests.controls import ArrivalQueue
from tests.paths import REPOSITORY
from tests.processes import until
from tests.websocket.practice_pieces import put_piece

pytestmark = pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)")
WAIT_S = 30.0
TOKEN = "a-token-that-is-long-enough"
TONE_HZ = 441.0
CONNECTED = "document.getElementById('connection')?.textContent === 'connected'"
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")


def type_into(page: Page, identity: str, text: str) -> None:
    page.value(f"document.getElementById('{identity}').value = {text!r}")
    for kind in ("input", "change"):
        page.value(f"document.getElementById('{identity}').dispatchEvent(new Event('{kind}', {{ bubbles: true }}))")


def submit(page: Page, identity: str) -> None:
    page.value(f"document.getElementById('{identity}').requestSubmit()")


def press(page: Page, key: str) -> None:
    """A key, as the keyboard sends it."""
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")


def shown(page: Page, identity: str) -> bool:
    return bool(page.value(f"document.getElementById('{identity}').checkVisibility()"))


def disabled(page: Page, identity: str) -> bool:
    return bool(page.value(f"document.getElementById('{identity}').matches(':disabled')"))


def look(page: Page, name: str, width: int = 1280, height: int = 800) -> None:
    """Keep a picture where FOLLOWER_SCREENSHOTS says, to be looked at; see that nothing is wider than the screen."""
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    assert page.value("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width} pixels"
    folder = os.environ.get("FOLLOWER_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        content = page.call("Page.captureScreenshot", format="png")["data"]
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(content))


def violations(page: Page) -> list[str]:
    """What axe-core has against the page as it is now."""
    if not page.value("'axe' in window"):
        page.value(AXE.read_text(encoding="utf-8") + "; true")
    found = page.value(f"axe.run(document, {{ runOnly: {list(RULES)} }}).then((r) => r.violations)")
    return [f"{v['id']}: {v['help']} {[n['html'][:120] for n in v['nodes']]}" for v in found]


def tone(path: Path, seconds: float = 20.0) -> Path:
    with wave.open(str(path), "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(48000)
        n = round(48000 * seconds)
        f.writeframes((16384 * np.sin(2 * np.pi * TONE_HZ * np.arange(n) / 48000)).astype("<i2").tobytes())
    return path


class Listening(FakeEngine):
    """Keeps what it receives, and where it was told to start."""

    received: list[np.ndarray]
    start_s: float | None

    def process(self, block: AudioBlock) -> list[Event]:
        self.received.append(block.samples)
        return super().process(block)


class Serving:
    """`follower serve` with fake engines, that can be ended and begun again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: list[Listening] = []
        self.port = 0
        self._running = ExitStack()

    def engine(self, piece: Piece, rate_hz: int, method: str, start_s: float | None) -> FakeEngine:
        made = Listening(rate_hz, method, piece)
        made.received, made.start_s = [], start_s
        made._at_s = start_s or 0.0
        self.engines.append(made)
        return made

    def begin(self, token: str | None = None) -> None:
        caches, limits = CacheFolder(self.folder), Limits()
        server = ServerThread(
            self.port, Access("127.0.0.1", token), limits, lambda _: AudioSessions(caches, 4, limits.resume_s),
            library=Library(self.folder),
        )  # fmt: skip
        self.port = self._running.enter_context(server).port

    def end(self) -> None:
        self._running.close()


@contextmanager
def serving(folder: Path, monkeypatch: pytest.MonkeyPatch, token: str | None = None) -> Iterator[Serving]:
    for name in ("bach", "rach"):
        put_piece(folder, name)
    server = Serving(folder)
    monkeypatch.setattr("follower.engine.Engine", server.engine)
    server.begin(token)
    try:
        yield server
    finally:
        server.end()


def sit_down(page: Page, piece: str) -> None:
    page.wait_until(f"{CONNECTED} && document.querySelector('.piece .tools') !== null")
    page.value(
        f"[...document.querySelectorAll('.piece .open')].find((b) => b.textContent === {piece!r}).click()",
    )
    page.wait_until("!document.getElementById('sit').disabled")
    page.click("sit")


AT = "(document.getElementById('position')?.textContent ?? '0').split(':').reduce((m, s) => 60 * m + Number(s), 0)"


def test_it_shows_a_session_and_commands_it(tmp_path: Path) -> None:
    controls = ArrivalQueue()
    with (
        WebSocketSink(0, controls, Access("127.0.0.1", TOKEN)) as sink,
        Page(f"http://127.0.0.1:{sink.port}/#token={TOKEN}", tmp_path) as page,
    ):
        page.wait_until(CONNECTED)
        assert disabled(page, "pause"), "nothing to pause yet"
        sink.begin(replace(SESSION, piece="Bach <1052>"))
        sink.send(Markers(0, 44100, (("A <b>", 12.5), ("B", 62.0))))
        sink.send(Practice(0, 44100, start_s=12.5, volume_db=-6.0, slowest=0.6, fastest=0.8))
        sink.send(StateChange(0, 44100, State.PAUSED, State.FOLLOWING, "the pianist <b>stopped</b>"))
        sink.send(position(3, 62.5, State.PAUSED))
        page.wait_until("document.getElementById('position').textContent === '1:02.5'")
        assert page.text("duration") == "1:40.0"
        assert page.text("title") == "Bach <1052>" and page.value("document.title") == "Bach <1052> - Concerto Follower"
        assert page.text("state") == "Waiting for you" == page.text("live"), "a screen reader is told too"
        assert "the pianist <b>stopped</b>" in page.text("log"), "what the server says is text, never markup"
        assert page.value("[...document.querySelectorAll('.markers .go')].map((b) => b.textContent)") == [
            "A <b>0:12.5", "B1:02.0",
        ]  # fmt: skip
        assert (page.text("volume-value"), page.text("slowest-value"), page.text("fastest-value")) == (
            "-6 dB",
            "60 %",
            "80 %",
        )
        sink.send(position(4, 62.5, State.FOLLOWING))
        sink.send(Elsewhere(0, 44100, ((81.5, 0.3), (12.0, 0.1))))
        page.wait_until("document.getElementById('sure').textContent.endsWith(', perhaps at 1:21 or 0:12')")
        sink.send(Elsewhere(0, 44100, ()))
        page.wait_until("!document.getElementById('sure').textContent.includes('perhaps')")
        sink.send(position(5, 62.5, State.PAUSED))
        page.wait_until("document.getElementById('state').textContent === 'Waiting for you'")
        assert not shown(page, "sit"), "its own microphone is followed, not this device's"
        page.wait_until("document.getElementById('views').hidden")  # no empty boxes where there is no picture
        press(page, " ")
        type_into(page, "begin-at", " 1:02,5 ")
        submit(page, "begin-form")
        press(page, "m")
        type_into(page, "volume", "-12")
        page.click("tempo-free")
        for _ in range(6):
            assert controls.arrived.acquire(timeout=WAIT_S)
        asked = controls.take()
        assert asked[0] == Pause() and asked[2:] == [Begin(62.5), Mark("A"), Volume(-12.0), Tempo()]
        for nonsense in ("", "-1", "soon", "1:70", "1e1"):
            type_into(page, "begin-at", nonsense)
            submit(page, "begin-form")
            assert "as in 1:30" in page.text("begin-trouble"), nonsense
        type_into(page, "begin-at", "1:40.5")
        submit(page, "begin-form")
        assert page.text("begin-trouble") == "The orchestra recording ends at 1:40.0"
        look(page, "live-session")
        assert page.faults == []
        assert page.requests
        for url in page.requests:
            assert url.split("/")[2] == f"127.0.0.1:{sink.port}", "nothing comes from elsewhere"


LONG_NAME = "Rachmaninoff - Piano Concerto No. 2 in C minor op. 18 - I. Moderato (Music Minus One)"
SCREENS = {"phone": (390, 844), "phone-on-its-side": (844, 390), "laptop": (1280, 800), "wall": (3840, 2160)}


def test_it_fits_every_screen(tmp_path: Path) -> None:
    with WebSocketSink(0, ArrivalQueue()) as sink, Page(f"http://127.0.0.1:{sink.port}/", tmp_path) as page:
        page.wait_until(CONNECTED)
        sink.begin(replace(SESSION, piece=LONG_NAME))
        sink.send(position(3, 62.5, State.ORCHESTRA))
        page.wait_until("document.getElementById('state').textContent === 'The orchestra plays'")
        for screen, (width, height) in SCREENS.items():
            look(page, f"screen-{screen}", width, height)
            digits = page.value("document.getElementById('position').getBoundingClientRect()['height']")
            assert digits > 0.07 * min(width, height), f"on a {screen} the position is read from the keyboard"
            assert page.value("document.querySelector('#room').clientWidth") > 0.7 * min(width, 2500), screen
        page.click("stage-open")
        for screen, (width, height) in SCREENS.items():
            look(page, f"stage-{screen}", width, height)
            box = page.value("document.getElementById('stage-clock').getBoundingClientRect().toJSON()")
            assert box["height"] > 0.22 * min(width, height), f"on a {screen} the stage is read from three metres"
            assert box["bottom"] <= height and box["right"] <= width, screen


def test_it_sends_the_browsers_microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(tmp_path / "caches", monkeypatch) as server,
        Page(
            f"http://127.0.0.1:{server.port}/",
            tmp_path,
            f"--use-file-for-fake-audio-capture={tone(tmp_path / 't.wav')}",
        ) as page,
    ):
        sit_down(page, "rach")
        # Fake engines take the length of the audio they received for the position.
        page.wait_until(f"{AT} > 1.0")
        assert page.text("state") == "Following you"
        assert page.value("document.getElementById('level').value") > -60
        assert shown(page, "end") and not disabled(page, "end"), "who sends can end it"
        page.click("end")
        page.wait_until("document.getElementById('log').textContent.includes('over: the audio is over')")
        assert shown(page, "sit") and not disabled(page, "sit")
        for button in ("pause", "again", "mark", "loop", "record", "end", "begin"):
            assert disabled(page, button), f"{button}: there is nothing left to command"
        assert page.text("problem") == "", "whoever ends a session need not be told"
        assert page.faults == []
        engine = server.engines[0]
    assert [e.piece.name for e in server.engines] == ["rach"]
    audio = np.concatenate(engine.received)
    audio = audio[len(audio) // 4 :]  # the browser fades in
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    peak_hz = np.argmax(spectrum) * engine.sample_rate_hz / len(audio)
    assert peak_hz == pytest.approx(TONE_HZ, abs=4.0)


def test_a_session_is_never_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(tmp_path / "caches", monkeypatch) as server,
        Page(
            f"http://127.0.0.1:{server.port}/",
            tmp_path,
            f"--use-file-for-fake-audio-capture={tone(tmp_path / 't.wav')}",
        ) as page,
    ):
        sit_down(page, "rach")
        page.wait_until(f"{AT} > 1.5")
        page.call("Page.reload")
        page.wait_until(f"{AT} > 2.5 && document.getElementById('state').textContent === 'Following you'")
        assert len(server.engines) == 1, "after a reload the same session goes on"
        assert page.text("title") == "rach"
        server.end()
        page.wait_until("document.getElementById('state').textContent === 'Connecting again'")
        assert shown(page, "level"), "the microphone's card stays"
        look(page, "connecting-again")
        before_s = float(page.value(AT))
        server.begin()
        until(lambda: len(server.engines) == 2)
        assert server.engines[1].start_s == pytest.approx(before_s, abs=1.0)
        page.wait_until(f"{AT} > {before_s} + 1")
        assert not disabled(page, "end")


def test_who_has_no_token_is_asked_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(tmp_path / "caches", monkeypatch, TOKEN) as server,
        Page(f"http://127.0.0.1:{server.port}/#token=a-wrong-token-of-yesterday", tmp_path) as page,
    ):
        page.wait_until("document.getElementById('token-form')?.hidden === false")
        assert not shown(page, "library") and page.text("connection") == "locked"
        if AXE.exists():
            assert violations(page) == []
        look(page, "locked")
        type_into(page, "token", "another-wrong-token")
        submit(page, "token-form")
        page.wait_until("document.getElementById('token-trouble').textContent.startsWith('That was not it')")
        page.wait_until("document.getElementById('connection').textContent === 'locked'")
        type_into(page, "token", TOKEN)
        submit(page, "token-form")
        page.wait_until(f"{CONNECTED} && document.querySelectorAll('.piece .tools').length === 2")
        assert TOKEN not in page.value("location.href"), "it is not left in the address"


@pytest.mark.skipif(not AXE.exists(), reason="not installed: axe-core (npm ci)")
def test_axe_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        serving(tmp_path / "caches", monkeypatch) as server,
        Page(
            f"http://127.0.0.1:{server.port}/",
            tmp_path,
            f"--use-file-for-fake-audio-capture={tone(tmp_path / 't.wav')}",
        ) as page,
    ):
        page.wait_until(f"{CONNECTED} && document.querySelector('.piece .tools') !== null")
        assert violations(page) == []
        look(page, "library")
        sit_down(page, "bach")
        page.wait_until(f"{AT} > 0.5")
        assert violations(page) == []
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        assert violations(page) == []
        look(page, "room-dark")
        page.click("stage-open")
        assert violations(page) == []
