"""Pages for machines, and the log: who may read them, what they count, why a session was refused."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from follower.commands.logs import KeyValueFormatter
from follower.piece.manifest import MANIFEST
from follower.testing import SOUND_RATE_HZ, make_piece
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.metrics import Metrics
from follower.websocket.session_setup import SessionSetup
from follower.websocket.thread import ServerThread
from tests.processes import until

WAIT_S = 20.0
TOKEN = "a-token-that-is-long-enough"


@contextlib.contextmanager
def serving(folder: Path, setup: SessionSetup, token: str | None = None) -> Iterator[ServerThread]:
    (folder / "piece").mkdir()
    (folder / "piece" / MANIFEST).write_text("{}")
    with ServerThread(
        0, Access("127.0.0.1", token), Limits(), lambda _: AudioSessions(CacheFolder(folder), 1, setup=setup)
    ) as server:
        yield server


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=WAIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def ask_for_audio(port: int) -> dict[str, object]:
    with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as client:
        client.send(json.dumps({"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le"}))
        while True:
            message = json.loads(client.recv(timeout=WAIT_S))
            if message["type"] == "error" or message.get("session"):
                return dict(message)


def test_a_refusal_says_why_is_logged_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    busy = SessionSetup(metrics=Metrics(), refusal=lambda: "3 sessions use 1.9 of this computer's 2 cores; try later")
    with caplog.at_level(logging.INFO, "follower.serve"), serving(tmp_path, busy) as server:
        answer = ask_for_audio(server.port)
        assert (answer["code"], answer["message"]) == ("too_many", busy.refusal())
        status, text = get(server.port, "/metrics")
    assert status == 200 and re.search(r'^follower_sessions_refused_total\{code="too_many"\} 1.0$', text, re.M)
    assert "follower_sessions_opened_total 0.0" in text
    [record] = [r for r in caplog.records if r.getMessage() == "refused"]
    line = KeyValueFormatter().format(record)
    assert "event=refused" in line and 'reason="3 sessions use 1.9' in line and "code=too_many" in line


def test_a_session_is_logged_from_its_beginning_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", lambda path: make_piece(4.0))
    with caplog.at_level(logging.DEBUG, "follower.serve"), serving(tmp_path, SessionSetup()) as server:
        assert ask_for_audio(server.port)["session"] == "s1"
        until(lambda: "ended" in [r.getMessage() for r in caplog.records])
    fields = {r.getMessage(): r.__dict__["fields"] for r in caplog.records if r.name == "follower.serve"}
    assert fields["opened"]["session"] == "s1" and fields["opened"]["sample_rate_hz"] == SOUND_RATE_HZ
    assert fields["ended"] == {"session": "s1", "reason": "its client has left"}


def test_a_server_without_engines_is_not_healthy(tmp_path: Path) -> None:
    with serving(tmp_path, SessionSetup(healthy=lambda: False)) as server:
        assert get(server.port, "/healthz") == (503, "engines are missing\n")
        assert get(server.port, "/metrics")[0] == 404, "it counts nothing"


def test_a_server_with_a_token_shows_its_figures_to_nobody_else(tmp_path: Path) -> None:
    with serving(tmp_path, SessionSetup(metrics=Metrics()), TOKEN) as server:
        for path in ("/metrics", "/healthz"):
            assert get(server.port, path)[0] == 403
            assert get(server.port, f"{path}?token={TOKEN}")[0] == 200


@pytest.mark.parametrize("value", ["two\nlines", 'a "quoted" word', "", "\x1b[31mred", "a=b"])
def test_no_value_breaks_a_line_of_the_log(value: str) -> None:
    record = logging.makeLogRecord({"msg": "left", "fields": {"session": value, "after": "x"}})
    line = KeyValueFormatter().format(record)
    assert "\n" not in line and "\x1b" not in line
    found = re.search(r'session=("(?:[^"\\]|\\.)*") after=x$', line)
    assert found is not None and json.loads(found[1]) == value
