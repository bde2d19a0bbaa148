"""A real engine behind the page: marker, loop, a click into the picture, and a server that is started again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from follower.testing import SOUND_RATE_HZ, make_sound
from tests.browser import Page, chromium
from tests.websocket.practice_pieces import put_piece
from tests.websocket.test_page import AT, Serving, look, press, sit_down

pytestmark = pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)")
SECONDS = 40.0
FOLLOWS = "document.getElementById('state').textContent === 'Following you'"


def played(path: Path, piano: NDArray[np.float32] | None = None) -> Path:
    """The piano as the browser's microphone hears it, once."""
    sound = soxr.resample(make_sound(SECONDS) if piano is None else piano, SOUND_RATE_HZ, 48000)
    soundfile.write(path, np.concatenate([np.zeros(96000), sound, np.zeros(10 * 48000)]), 48000, "PCM_16")
    return path


def test_a_pianist_practises(tmp_path: Path) -> None:
    put_piece(tmp_path / "caches", "etude", SECONDS)
    server = Serving(tmp_path / "caches")
    server.begin()
    try:
        microphone = f"--use-file-for-fake-audio-capture={played(tmp_path / 'p.wav')}%noloop"
        with Page(f"http://127.0.0.1:{server.port}/", tmp_path, microphone) as page:
            sit_down(page, "etude")
            page.wait_until(f"{FOLLOWS} && {AT} > 2.0")
            press(page, "m")
            page.wait_until("document.querySelector('.markers .go')?.textContent.startsWith('A0:0') === true")
            press(page, "l")
            from_s = float(page.value(AT))
            page.wait_until(f"{AT} > {from_s + 1.3}")
            press(page, "l")
            page.wait_until("document.getElementById('loop').textContent.startsWith('Loop 0:0')")
            page.wait_until(f"{AT} < {from_s + 1.0}")
            look(page, "looped")
            press(page, "l")
            page.wait_until("document.getElementById('loop').getAttribute('aria-pressed') === 'false'")
            # The fake microphone plays on all the same: a seek is held until it is clearly wrong.
            page.wait_until(f"{FOLLOWS} && {AT} > {from_s + 3.0}")
            box = page.value("document.getElementById('overview').getBoundingClientRect().toJSON()")
            x, y = box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2
            for kind in ("mousePressed", "mouseReleased"):
                page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            page.wait_until(f"Math.abs({AT} - {0.9 * SECONDS}) < 1.5")
            page.wait_until(f"{FOLLOWS} && {AT} < {0.8 * SECONDS}")
            before_s = float(page.value(AT))
            server.end()
            page.wait_until("document.getElementById('state').textContent === 'Connecting again'")
            server.begin()
            page.wait_until(f"{FOLLOWS} && {AT} > {before_s + 1.0}")
            page.wait_until("document.getElementById('listen').checked")  # the orchestra sounds again
            assert page.value("document.querySelectorAll('.markers .go').length") == 1, "markers are kept"
            look(page, "after-a-restart")
    finally:
        server.end()


def test_where_else_it_might_be_is_marked(tmp_path: Path) -> None:
    """The same music at 0:00 and 0:26: until something else comes nobody can tell which is played."""
    refrain, episode = make_sound(16.0), make_sound(10.0, seed=1)
    put_piece(tmp_path / "caches", "rondo", mix=np.concatenate([refrain, episode, refrain]))
    server = Serving(tmp_path / "caches")
    server.begin()
    try:
        microphone = f"--use-file-for-fake-audio-capture={played(tmp_path / 'p.wav', refrain)}%noloop"
        with Page(f"http://127.0.0.1:{server.port}/", tmp_path, microphone) as page:
            sit_down(page, "rondo")
            page.wait_until("/perhaps at [0-9]:[0-9]{2}$/.test(document.getElementById('sure').textContent)")
            # The other place is as far away as the two refrains are from each other.
            apart_s = float(
                page.value(
                    f"Math.abs({AT} - document.getElementById('sure').textContent.split(' at ')[1].split(':')"
                    ".reduce((m, s) => 60 * m + Number(s), 0))"
                )
            )
            assert apart_s == pytest.approx(26.0, abs=2.5)
            assert page.value("document.getElementById('key-perhaps').checkVisibility({ visibilityProperty: true })")
            look(page, "perhaps-laptop")
            look(page, "perhaps-phone", 390, 844)
    finally:
        server.end()
