"""The page's scripts cannot use the Structs; the words they send and understand are held against them here.

`npm run types` checks every property; this needs no node.
"""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace

import pytest

from follower.protocol.codec import MESSAGE_OF, REQUEST_OF, RefusedError
from follower.protocol.messages import PROTOCOL_VERSION
from follower.protocol.room_requests import AskLibrary, AskOverview
from follower.session.extrapolation import MAX_EXTRAPOLATION_S, MOVING
from follower.websocket.audio_sessions import SERVER_ENDS
from follower.websocket.library_requests import LibraryRequests
from follower.websocket.pages import PAGES, page
from follower.websocket.piece_requests import PieceRequests

SCRIPTS = {name: page(name).body.decode() for name in PAGES if name.endswith(".js")}
MAIN, PLAYER = SCRIPTS["/main.js"], SCRIPTS["/player.js"]


def test_what_the_page_sends_is_a_request() -> None:
    sent = {kind for script in SCRIPTS.values() for kind in re.findall(r'\{\s*type: "(\w+)"', script)}
    assert {"ping", "begin", "watch", "audio", "gap", "end", "list", "listen", "heard", "upload", "prepare"} <= sent
    assert sent <= set(REQUEST_OF)


def test_every_message_is_understood() -> None:
    assert set(re.findall(r'case "(\w+)":', MAIN.partition("switch (message.type)")[2])) == set(MESSAGE_OF)


def test_it_knows_the_sentence_that_says_there_is_no_library() -> None:
    with pytest.raises(RefusedError) as refused:
        asyncio.run(LibraryRequests(None, lambda message: None).handle(AskLibrary()))
    assert f'"{refused.value}"' in MAIN


def test_it_knows_what_is_said_of_a_session_without_a_picture() -> None:
    requests = PieceRequests(SimpleNamespace(), SimpleNamespace(), lambda message: None, None)  # type: ignore[arg-type]
    with pytest.raises(RefusedError) as refused:
        asyncio.run(requests.handle(AskOverview()))
    (known,) = re.findall(r'NO_PICTURE = "(.*)"', MAIN)
    assert str(refused.value).startswith(known)


def test_it_knows_the_words_in_which_the_server_ends() -> None:
    assert f'"{SERVER_ENDS}"' in MAIN


def test_it_extrapolates_as_the_program_does() -> None:
    assert f"const PROTOCOL = {PROTOCOL_VERSION};" in SCRIPTS["/connection.js"]
    assert f"const MAX_EXTRAPOLATION_S = {MAX_EXTRAPOLATION_S}" in PLAYER
    (moving,) = re.findall(r"const MOVING = new Set\((.*?)\)", PLAYER)
    assert set(re.findall(r'"(\w+)"', moving)) == {str(state) for state in MOVING}


def test_nothing_is_written_as_markup_or_evaluated() -> None:
    for name, script in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script), (
            name
        )
