"""From two files to the last note without a terminal: a piece is brought, prepared and played in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.demo.render import demo_scenario
from follower.library.library import Library
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.thread import ServerThread
from tests.browser import Page, chromium
from tests.websocket.test_page import AT, CONNECTED, look, type_into

pytestmark = pytest.mark.skipif(chromium() is None, reason="not installed: chromium (Debian: chromium)")
SECONDS = 12.0


def drop(page: Page, identity: str, path: Path) -> None:
    """Choose a file in the page, as the file dialogue would."""
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector=f"#{identity}")["nodeId"]
    page.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)


def test_a_piece_is_brought_prepared_and_played_to_its_end(tmp_path: Path) -> None:
    scenario = demo_scenario(seconds=SECONDS)
    piano, rate_hz = soundfile.read(scenario / "p.wav", always_2d=True)
    silence = np.zeros((5 * rate_hz, piano.shape[1]))
    soundfile.write(tmp_path / "p.wav", np.concatenate([silence[: 2 * rate_hz], piano, silence]), rate_hz, "PCM_16")
    (tmp_path / "pieces").mkdir()
    library, caches = Library(tmp_path / "pieces"), CacheFolder(tmp_path / "pieces")
    with (
        ServerThread(0, Access("127.0.0.1"), Limits(), lambda _: AudioSessions(caches, 2), library=library) as server,
        Page(
            f"http://127.0.0.1:{server.port}/",
            tmp_path,
            f"--use-file-for-fake-audio-capture={tmp_path / 'p.wav'}%noloop",
        ) as page,
    ):
        page.wait_until(f"{CONNECTED} && document.getElementById('bring').checkVisibility()")
        page.call("DOM.enable")
        drop(page, "file-orchestra", scenario / "o.wav")
        drop(page, "file-mix", scenario / "po.wav")
        type_into(page, "new-name", "Concertino")
        page.wait_until("!document.getElementById('prepare').disabled")
        look(page, "two-files")
        page.click("prepare")
        page.wait_until(
            "document.querySelector('.job progress')?.value > 0 || document.querySelector('.piece') !== null"
        )
        look(page, "being-prepared")
        page.wait_until("document.querySelector('.piece .open') !== null || document.querySelector('.failed') !== null")
        assert page.value("document.querySelector('.failed')?.textContent ?? ''") == ""
        page.value("document.querySelector('.piece .open').click()")
        page.wait_until("!document.getElementById('sit').disabled")
        page.click("sit")
        page.wait_until(f"{AT} > 3 && document.getElementById('listen').checked")
        look(page, "playing")
        end_s = soundfile.info(scenario / "o.wav").duration
        page.wait_until(f"{AT} > {end_s - 3.0}")
        assert page.value("document.getElementById('problem').hidden") is True
        assert page.faults == []
    library.close()
