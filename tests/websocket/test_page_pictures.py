"""Every state of the practice room is drawn so that a pianist can read it: nothing is cut off or lies on another thing.

`FOLLOWER_SCREENSHOTS=DIR` keeps a picture of each, to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from follower.config import PrepConfig
from follower.events import Elsewhere, Event, Markers, Notice, Practice, Session, State
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.playback.desk import Desk
from follower.playback.wishes import Wishes
from follower.testing import assemble_piece, position
from follower.websocket.session_sound import SessionSound
from follower.websocket.sink import WebSocketSink
from tests.browser import Page, chromium
from tests.controls import ArrivalQueue
from tests.websocket.test_page import CONNECTED, look, press

pytestmark = pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)")
NAME = "Rachmaninoff - Piano Concerto No. 2 in C minor op. 18 - I. Moderato (Music Minus One)"
MINUTES = 10
SCREENS = {"phone": (390, 844), "phone-on-its-side": (844, 390), "full-hd": (1920, 1080), "4k": (3840, 2160)}
TROUBLES = """
(() => {
  const found = [];
  // The digits of the clock are in a line of their own height, which is what is drawn.
  const things = [%s].map((id) => [id, document.getElementById(id)]).filter(([, one]) => one.textContent.trim() !== "")
    .map(([id, one]) => [id, one.closest(".clock") ?? one]).map(([id, one]) => [id, one, one.getBoundingClientRect()]);
  for (const [id, one, box] of things) {
    if (one.scrollWidth > one.clientWidth + 1) found.push(`${id} is cut off`);
    if (box.left < 0 || box.right > innerWidth + 1) found.push(`${id} is beside the screen`);
    if (box.top < 0 || box.bottom > innerHeight) found.push(`${id} is above or below the screen`);
    for (const [other, , next] of things) {
      const across = Math.min(box.right, next.right) - Math.max(box.left, next.left);
      const down = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
      if (id < other && across > 1 && down > 1) found.push(`${id} lies on ${other}`);
    }
  }
  return found;
})()
"""
ROOM = TROUBLES % "'title', 'stage-open', 'state', 'position', 'next', 'sure', 'pause'"
STAGE = TROUBLES % "'stage-piece', 'stage-close', 'stage-state', 'stage-clock', 'stage-next'"


def movement() -> Piece:
    """A movement of ten minutes with tuttis, soft passages and a cadenza that the orchestra recording leaves out."""
    hop_s, cut_s, cadenza_s = PrepConfig().features.hop_s, 380.0, 29.0
    t = np.arange(0.0, 60.0 * MINUTES + cadenza_s, hop_s)
    rng = np.random.default_rng(0)
    rests = (t < 40.0) | ((t % 150.0 > 118.0) & (t < cut_s))
    swell = 0.25 + 0.2 * np.sin(t / 23.0) + 0.2 * np.sin(t / 61.0) ** 2 + 0.3 * rests
    level = (swell * (0.7 + 0.3 * rng.random(len(t)))).clip(0.02, 1.0).astype(np.float32)

    def sounding(n: int) -> StreamFeatures:
        return StreamFeatures(np.zeros((n, 88), np.float32), np.zeros((n, 13), np.float32), level[:n])

    end_s = 60.0 * MINUTES
    mix_map = MixMap([0.0, cut_s, cut_s, end_s], [0.0, cut_s, cut_s + cadenza_s, end_s + cadenza_s], [1.0] * 4)
    return assemble_piece(
        mix_map,
        mix=sounding(len(t)),
        orchestra=sounding(round(end_s / hop_s)),
        piano_activity=(~rests).astype(np.float32),
        path=Path(NAME),
    )


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[WebSocketSink, Page]]:
    """A session of that movement, and a page that shows it."""
    with (
        WebSocketSink(0, ArrivalQueue(), sound=SessionSound(movement(), Desk(Wishes()))) as sink,
        Page(f"http://127.0.0.1:{sink.port}/", tmp_path) as page,
    ):
        page.wait_until(CONNECTED)
        sink.begin(Session("1", "tempo", 44100, 60.0 * MINUTES, 60.0 * MINUTES, NAME))
        page.wait_until("document.getElementById('key-cut').checkVisibility()")  # the picture is there
        sink.send(Markers(0, 44100, (("A", 62.5), ("Eingang", 141.0), ("B", 150.0), ("the hard run", 310.0))))
        sink.send(position(1, 60.0, State.FOLLOWING))
        page.wait_until("document.getElementById('position').textContent.startsWith('1:0')")
        yield sink, page
        assert page.faults == []


def test_a_tutti_counts_down_to_the_entry_on_every_screen(shown: tuple[WebSocketSink, Page]) -> None:
    sink, page = shown
    sink.send(position(2, 137.5, State.ORCHESTRA))
    page.wait_until("/^your entry in 1[123] s$/.test(document.getElementById('next').textContent)")
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for screen, (width, height) in SCREENS.items() if scheme == "light" else [("full-hd", SCREENS["full-hd"])]:
            look(page, f"tutti-{screen}-{scheme}", width, height)
            assert page.value(ROOM) == [], f"{screen}, {scheme}"
    page.click("stage-open")
    for screen, (width, height) in SCREENS.items():
        look(page, f"tutti-stage-{screen}", width, height)
        assert page.value(STAGE) == [], screen
        tall = page.value("document.getElementById('stage-next').getBoundingClientRect()['height']")
        assert tall > 0.05 * min(width, height), f"on a {screen} the entry is read from three metres"


ELSEWHERE = Elsewhere(0, 44100, ((442.0, 0.35), (310.0, 0.12)))
STATES: dict[str, tuple[list[Event], str]] = {
    "following": ([position(2, 62.5)], "Following you"),
    "perhaps": ([position(2, 62.5, State.LOST), ELSEWHERE], "Looking for you"),
    "waiting": ([position(2, 62.5, State.WAITING)], "Play when you like"),
    "paused": ([position(2, 62.5, State.PAUSED)], "Waiting for you"),
    "count-in": ([Practice(0, 44100, start_s=62.5, count_in=4, sounding="count_in")], "Get ready"),
    "lead-in": ([Practice(0, 44100, start_s=62.5, lead_in_s=8.0, sounding="lead_in")], "The orchestra leads in"),
    "looped-and-recorded": (
        [
            Practice(
                0, 44100, 141.0, 141.0, 150.0, -6.0, 0.6, 0.8, 4.8, 4, 100.0, "piano", 7.9, 0.4, -7.9, 15.8,
                recorded_s=75.2, take="2026-11-28 take 1.flac", lead_in_bars=2,
            )
        ],
        "Following you",
    ),
    "refused": ([Notice(0, 44100, "loop refused: the loop ends before it begins")], "Following you"),
    "over": ([position(2, 599.0, State.ENDED)], "The end"),
}  # fmt: skip


def test_every_state_is_read(shown: tuple[WebSocketSink, Page]) -> None:
    sink, page = shown
    for name, (events, words) in STATES.items():
        for event in [Practice(0, 44100), Elsewhere(0, 44100, ()), position(1, 60.0, State.FOLLOWING), *events]:
            sink.send(event)
        page.wait_until(f"document.getElementById('state').textContent === {words!r}")
        for screen in ("full-hd", "phone"):
            look(page, f"state-{name}-{screen}", *SCREENS[screen])
            assert page.value(ROOM) == [], f"{name} on a {screen}"
            assert page.value("document.getElementById('lead-in').selectedIndex") >= 0, (
                "what was asked for is in the list"
            )
        legend: Any = page.value(
            "['key-loop', 'key-perhaps'].map((id) => document.getElementById(id))"
            ".map((one) => one.checkVisibility({ visibilityProperty: true }))"
        )
        assert legend == [name == "looped-and-recorded", name == "perhaps"], "the legend is of what is drawn"
    look(page, "whole-page-full-hd", 1920, 1500)
    look(page, "whole-page-phone", 390, 2600)
    press(page, " ")
    page.wait_until("document.getElementById('state').textContent === 'On hold'")
    look(page, "state-on-hold-full-hd", *SCREENS["full-hd"])
    assert page.value(ROOM) == []
