"""The practice room over real sockets: bringing a piece, hearing the orchestra, practising, fetching a recording."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from follower.library.library import Library
from follower.playback.streamed import HEADER
from follower.practice.companion import companion_of
from follower.testing import make_sound
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.thread import ServerThread
from tests.websocket.practice_pieces import put_piece
from tests.websocket.test_server import VALIDATOR, Client

SECONDS = 6.0
AUDIO = {"type": "audio", "cache": "bach", "sample_rate": 22050, "format": "f32le"}


class RoomClient(Client):
    """Keeps the binary frames it gets on the way to a message."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.frames: list[bytes] = []

    def __enter__(self) -> RoomClient:
        return self

    def receive(self, kind: str | None = None, **wanted: object) -> dict[str, Any]:
        while True:
            data = self.connection.recv(timeout=30.0)
            if isinstance(data, bytes):
                self.frames.append(data)
                continue
            message: dict[str, Any] = json.loads(data)
            VALIDATOR.validate(message)
            assert kind == "error" or message["type"] != "error", message
            if message["type"] == kind and all(message.get(k) == v for k, v in wanted.items()):
                return message


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "pieces"
    put_piece(folder, "bach", SECONDS)
    library = Library(folder)
    with ServerThread(
        0, Access("127.0.0.1"), Limits(), lambda _: AudioSessions(CacheFolder(folder), 2), library=library
    ) as server:
        yield server.port
    library.close()


def test_a_recording_is_brought_and_forgotten_when_nobody_uses_it(port: int, tmp_path: Path) -> None:
    content = soundfile.write(tmp_path / "o.flac", make_sound(2.0), 22050) or (tmp_path / "o.flac").read_bytes()
    with RoomClient(port) as client:
        client.send({"type": "library"})
        assert [p["name"] for p in client.receive("library")["pieces"]] == ["bach"]
        client.send({"type": "upload", "file": "o.flac", "size_bytes": len(content)})
        for at in range(0, len(content), 1000):
            client.send(content[at : at + 1000])
        found = client.receive("uploaded")
        assert found["duration"] == pytest.approx(2.0)
        path = tmp_path / "pieces" / ".incoming" / found["file"]
        assert path.read_bytes() == content
        client.send({"type": "upload", "file": "no.wav", "size_bytes": 8})
        client.send(b"nonsense")
        assert "no.wav is not an audio file" in client.receive("error", code="invalid")["message"]
        client.send({"type": "prepare", "piece": "bach", "orchestra": found["file"], "mix": found["file"]})
        assert "same file" in client.receive("error")["message"]
        client.send({"type": "prepare", "piece": "x", "orchestra": found["file"], "mix": "../../etc/passwd"})
        client.receive("error", code="unknown_file")
        client.send({"type": "upload", "file": "o.flac", "size_bytes": 5000})
        client.send(b"half")
        client.send({"type": "upload", "file": "again.flac", "size_bytes": 5000})
        assert "coming already" in client.receive("error")["message"]
    deadline_s = time.monotonic() + 30.0
    while list((tmp_path / "pieces" / ".incoming").iterdir()):
        assert time.monotonic() < deadline_s


def test_pieces_are_renamed_and_removed(port: int, tmp_path: Path) -> None:
    with RoomClient(port) as client, RoomClient(port) as other:
        for c in (client, other):
            c.send({"type": "library"})
            c.receive("library")
        client.send({"type": "rename", "piece": "bach", "to": "BWV 1052"})
        assert [p["name"] for p in other.receive("library")["pieces"]] == ["BWV 1052"], "others are told"
        client.send({"type": "delete", "piece": "bach"})
        client.receive("error", code="unknown_cache")
        client.send({"type": "cancel", "piece": "bach"})
        client.receive("error", code="unknown_cache")
        client.send({"type": "delete", "piece": "BWV 1052"})
        assert other.receive("library")["pieces"] == []
        client.send({"type": "overview", "piece": "BWV 1052"})
        client.receive("error", code="unknown_cache")


def test_the_orchestra_is_heard_and_told_to_the_engine(port: int, tmp_path: Path) -> None:
    sound = make_sound(SECONDS).astype("<f4")
    with RoomClient(port) as client:
        client.send({"type": "listen", "sample_rate": 22050})
        assert "open a session" in client.receive("error", code="unexpected")["message"]
        client.send(AUDIO)
        client.receive("hello", session="s1")
        client.send({"type": "listen", "sample_rate": 22050})
        stream = client.receive("sound")["stream"]
        offset = _clock_offset(client)
        begun_s = time.monotonic()
        for n, at in enumerate(range(0, 3 * 22050, 2205)):
            client.send(sound[at : at + 2205].tobytes())
            frame = round((time.monotonic() - begun_s) * 22050)
            client.send(
                {
                    "type": "heard",
                    "stream": stream,
                    "frame": frame,
                    "at": begun_s + offset + frame / 22050,
                    "slack_ms": 30.0,
                }
            )
            if n == 5:
                client.send({"type": "mark", "name": "A", "orchestra_time": 1.0})
                client.send({"type": "record"})
            while time.monotonic() - begun_s < 0.1 * (n + 1):
                time.sleep(0.005)
        client.send({"type": "end_record"})
        take = client.receive("practice", recorded=None)
        while not take["take"]:
            take = client.receive("practice", recorded=None)
        headers = [HEADER.unpack_from(f) for f in client.frames]
        assert {h[0] for h in headers} == {stream}
        firsts, frames = [h[2] for h in headers], [h[1] for h in headers]
        assert firsts == [0, *np.cumsum(frames)[:-1].tolist()], "the time line has no holes"
        samples = np.concatenate([np.frombuffer(f, "<i2", offset=HEADER.size) for f in client.frames])
        assert np.abs(samples).max() > 1000, "the orchestra sounds"
        client.send({"type": "unlisten"})
        client.receive("quiet")
        client.send({"type": "overview"})
        looks = client.receive("overview")
        assert [m["name"] for m in looks["markers"]] == ["A"] and looks["takes"][0]["name"] == take["take"]
        client.frames.clear()
        client.send({"type": "fetch", "take": take["take"]})
        size = client.receive("fetched")["size_bytes"]
        content = b"".join(client.frames)
        path = companion_of(tmp_path / "pieces" / "bach") / "takes" / take["take"]
        assert len(content) == size and content == path.read_bytes()
        client.send({"type": "fetch", "take": "../markers.csv"})
        client.receive("error", code="unknown_file")


def test_one_listener_has_the_sound(port: int) -> None:
    with RoomClient(port) as pianist, RoomClient(port) as other:
        pianist.send(AUDIO)
        pianist.receive("hello", session="s1")
        pianist.send({"type": "listen", "sample_rate": 22050})
        pianist.receive("sound")
        other.send({"type": "watch", "session": "s1"})
        other.receive("practice")
        other.send({"type": "listen", "sample_rate": 44100})
        assert "another page" in pianist.receive("quiet")["reason"]
        other.receive("sound", sample_rate=44100)


def _clock_offset(client: RoomClient) -> float:
    sent_s = time.monotonic()
    client.send({"type": "ping", "client_time": sent_s})
    answer = client.receive("pong")
    return float(answer["monotonic_time"] - (sent_s + time.monotonic()) / 2)
