"""Messages made to cost the server's loop as much as possible: refused before they are looked at, and rationed."""

from __future__ import annotations

import json
import time

import pytest
from websockets.sync.client import ClientConnection, connect

from follower.protocol.codec import MAX_ECHO, REQUEST_OF, RefusedError, decode_request
from follower.session.controls import ControlQueue
from follower.websocket.limits import Limits
from follower.websocket.sink import WebSocketSink

WAIT_S = 20.0
LISTS = '{"type":[' + "[]," * (Limits().text_bytes // 3 - 10) + "[]]}"
NUMBERS = '{"type":"seek","orchestra_time":[' + "0," * (Limits().text_bytes // 2 - 30) + "0]}"
NESTED = '{"type":"watch","session":' + '{"a":' * 900 + "1" + "}" * 901


def client(port: int) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None)


@pytest.mark.parametrize("text", [LISTS, NUMBERS, NESTED, '{"type":"' + "x" * 8000 + '"}'])
def test_a_refusal_shows_little_and_costs_little(text: str) -> None:
    assert len(text) <= Limits().text_bytes
    spent_s = []
    for _ in range(20):
        begun_s = time.thread_time()
        with pytest.raises(RefusedError) as refused:
            decode_request(text)
        spent_s.append(time.thread_time() - begun_s)
        shown = str(refused.value).replace(", ".join(REQUEST_OF), "")  # the list of types is ours, not the client's
        assert len(shown) < 3 * MAX_ECHO
    json_s = []
    for _ in range(20):
        begun_s = time.thread_time()
        json.loads(text)
        json_s.append(time.thread_time() - begun_s)
    assert min(spent_s) < 3 * min(json_s) + 1e-3, "hardly more than reading it"


def test_long_text_is_refused_unread() -> None:
    text = '{"type":[' + "[]," * 80_000 + "[]]}"
    with WebSocketSink(0, ControlQueue()) as sink, client(sink.port) as connection:
        connection.recv(timeout=WAIT_S)
        connection.send(text)
        error = json.loads(connection.recv(timeout=WAIT_S))
        assert (error["type"], error["code"]) == ("error", "too_large")
        assert str(Limits().text_bytes) in error["message"]


def test_a_client_that_costs_too_much_is_read_more_slowly_and_the_others_are_not() -> None:
    """With a budget of next to nothing a second message waits; another client's does not."""
    limits = Limits(loop_share=1e-6, loop_burst_s=1e-6)
    with WebSocketSink(0, ControlQueue(), limits=limits) as sink, client(sink.port) as greedy:
        greedy.recv(timeout=WAIT_S)
        greedy.send(LISTS)
        assert json.loads(greedy.recv(timeout=WAIT_S))["type"] == "error"
        greedy.send('{"type":"list"}')
        with client(sink.port) as modest:
            modest.recv(timeout=WAIT_S)
            modest.send('{"type":"list"}')
            assert json.loads(modest.recv(timeout=WAIT_S))["type"] == "list"
        with pytest.raises(TimeoutError):
            greedy.recv(timeout=0.0)
