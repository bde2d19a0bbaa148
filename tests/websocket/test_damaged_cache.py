"""What a client is told of a cache that cannot be used: what is wrong with it, and nothing of the server's disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from follower.piece.manifest import MANIFEST
from follower.piece.writing import write_piece
from follower.protocol.codec import RefusedError
from follower.testing import make_piece
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.source import WebSocketSource


def change_byte(cache: Path) -> None:
    file = cache / "o_chroma.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"x")


def remove_file(cache: Path) -> None:
    (cache / "o_chroma.npy").unlink()


def folder_for_file(cache: Path) -> None:
    remove_file(cache)
    (cache / "o_chroma.npy").mkdir()


def empty_manifest(cache: Path) -> None:
    (cache / MANIFEST).write_bytes(b"")


def old_version(cache: Path) -> None:
    (cache / MANIFEST).write_text('{"format_version": 1}')


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (change_byte, "is damaged"),
        (remove_file, "is not complete"),
        (folder_for_file, "is damaged"),
        (empty_manifest, "is damaged"),
        (old_version, "another version"),
    ],
)
def test_a_client_is_told_what_is_wrong(tmp_path: Path, damage: Callable[[Path], None], told: str) -> None:
    write_piece(replace(make_piece(2.0), path=tmp_path / "bach"))
    damage(tmp_path / "bach")
    sessions = AudioSessions(CacheFolder(tmp_path), 1)
    with pytest.raises(RefusedError) as refused:
        asyncio.run(sessions.open("bach", None, None, WebSocketSource(44100)))
    assert refused.value.code == "failed"
    assert told in str(refused.value) and "bach" in str(refused.value)
    assert str(tmp_path) not in str(refused.value) and "Error" not in str(refused.value)
