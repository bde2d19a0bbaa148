"""The practice room in Firefox: it opens, takes the microphone, and plays the orchestra."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import numpy as np
import pytest

from tests.firefox import FirefoxPage, firefox
from tests.playback import test_device
from tests.websocket.test_page import AT, CONNECTED, serving

pytestmark = [
    pytest.mark.alone,  # its fake microphone and its loudspeaker stand still when the computer is busy
    pytest.mark.skipif(firefox() is None, reason="not installed: firefox (Debian: firefox-esr)"),
]


sound_server = test_device.sound_server


def test_one_plays_in_firefox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound_server: dict[str, str]) -> None:
    with (
        serving(tmp_path / "caches", monkeypatch) as server,
        FirefoxPage(f"http://127.0.0.1:{server.port}/", tmp_path, sound_server) as page,
    ):
        page.wait_until(f"{CONNECTED} && document.querySelector('.piece .open') !== null")
        page.value("document.querySelector('.piece .open').click()")
        page.wait_until("!document.getElementById('sit').disabled")
        page.click("sit")
        # Fake engines take the length of the audio they received for the position.
        page.wait_until(f"{AT} > 1.0 && document.getElementById('listen').checked")
        assert page.value("document.getElementById('state').textContent") == "Following you"
        page.wait_until("/^[0-9]+ ms$/.test(document.getElementById('output-latency').textContent)")
        folder = os.environ.get("FOLLOWER_SCREENSHOTS")
        if folder:
            (Path(folder) / "firefox.png").write_bytes(base64.b64decode(page.picture()))
        page.click("end")
        page.wait_until("document.getElementById('log').textContent.includes('over: the audio is over')")
        assert page.faults == []
    heard = np.concatenate(server.engines[0].received)
    assert np.abs(heard).max() > 0.01, "Firefox's fake microphone is a tone"
