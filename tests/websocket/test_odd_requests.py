"""HTTP requests and numbers that parsers stumble over: an answer, never a failure of the server."""

from __future__ import annotations

import json
import socket

import pytest
from websockets.sync.client import connect

from follower.session.controls import ControlQueue
from follower.websocket.access import Access
from follower.websocket.sink import WebSocketSink

WAIT_S = 20.0
TOKEN = "a-token-that-is-long-enough"
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
)


def status(port: int, target: str, headers: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode("latin-1"))
        return int(sock.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    "target", ["//[", "//[?token=x", "//]/ws", "/\\[", "//[::1", "/%", "/%zz?%", "//", "/ws/../ws"]
)
@pytest.mark.parametrize("headers", ["", UPGRADE, UPGRADE + "Authorization: Bearer \xff\xfe\r\nOrigin: http://[\r\n"])
def test_a_target_that_is_no_address_is_not_found(target: str, headers: str) -> None:
    with WebSocketSink(0, ControlQueue(), Access("0.0.0.0", TOKEN)) as sink:
        assert status(sink.port, target, headers) in (400, 403, 404)
        assert status(sink.port, "/", "") == 200


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e308", "123456789012345678901234567890", "1" * 5000])
def test_an_absurd_clock_is_refused_and_the_connection_stays(number: str) -> None:
    with (
        WebSocketSink(0, ControlQueue()) as sink,
        connect(f"ws://127.0.0.1:{sink.port}/ws", compression=None, proxy=None) as client,
    ):
        assert json.loads(client.recv(timeout=WAIT_S))["type"] == "hello"
        client.send(f'{{"type":"ping","client_time":{number}}}')
        assert json.loads(client.recv(timeout=WAIT_S))["type"] == "error"
        client.send('{"type":"ping","client_time":1.5}')
        assert json.loads(client.recv(timeout=WAIT_S))["client_time"] == 1.5
