"""The monitor page is JavaScript and cannot use the Structs; its words are held against them here."""

from __future__ import annotations

import re

import msgspec
import pytest

from follower.protocol.codec import MESSAGE_OF, REQUEST_OF
from follower.protocol.commands import Request
from follower.protocol.messages import PROTOCOL_VERSION, HelloMessage, Message, PositionMessage
from follower.session.extrapolation import MAX_EXTRAPOLATION_S, MOVING
from follower.websocket.pages import page

SCRIPTS = {name: page(name).body.decode() for name in ("/monitor.js", "/microphone.js")}
MONITOR = SCRIPTS["/monitor.js"]
SENT = [
    (kind, re.findall(r"(\w+):", properties))
    for script in SCRIPTS.values()
    for kind, properties in re.findall(r'\{ type: "(\w+)"([^}]*)\}', script)
]
CASES = re.findall(r'case "(\w+)":(.*?)(?=case "|\n  \}\n)', MONITOR.partition("switch (message.type)")[2], re.S)


def names(struct: type[Message] | type[Request]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def test_the_scripts_were_read() -> None:
    assert {"ping", "seek", "watch", "audio", "gap", "end", "list"} <= {kind for kind, _ in SENT}
    assert {kind for kind, _ in CASES} == set(MESSAGE_OF)


@pytest.mark.parametrize(("kind", "properties"), SENT)
def test_what_the_page_sends_is_a_request(kind: str, properties: list[str]) -> None:
    struct = REQUEST_OF[kind]
    required = {field.encode_name for field in msgspec.structs.fields(struct) if field.required}
    assert required <= set(properties) <= names(struct)


@pytest.mark.parametrize(("kind", "block"), CASES, ids=[kind for kind, _ in CASES])
def test_what_the_page_reads_of_a_message_is_there(kind: str, block: str) -> None:
    assert set(re.findall(r"message\.(\w+)", block)) <= names(MESSAGE_OF[kind])


def test_what_the_page_shows_of_a_position_is_there() -> None:
    assert set(re.findall(r"position\??\.(\w+)", MONITOR)) <= names(PositionMessage)


def test_what_the_page_shows_of_a_session_is_there() -> None:
    read = set(re.findall(r"\bsession\??\.(\w+)", MONITOR))
    assert "piece" in read and read <= names(HelloMessage)


def test_the_buttons_are_commands() -> None:
    (listed,) = re.findall(r"for \(const command of \[(.*?)\]\)", MONITOR)
    commands = re.findall(r'"(\w+)"', listed)
    assert set(commands) == {"pause", "resume", "start", "stop"}
    assert set(commands) <= set(REQUEST_OF)


def test_version_and_extrapolation_are_the_same_in_both_languages() -> None:
    assert re.findall(r"const PROTOCOL = (\d+);", MONITOR) == [str(PROTOCOL_VERSION)]
    (limit_s,) = re.findall(r"const MAX_EXTRAPOLATION_S = ([\d.]+);", MONITOR)
    assert float(limit_s) == MAX_EXTRAPOLATION_S
    (moving,) = re.findall(r"const MOVING = new Set\(\[(.*?)\]\)", MONITOR)
    assert set(re.findall(r'"(\w+)"', moving)) == {state.value for state in MOVING}
