"""docs/protocol.md says what the program does: its examples fit the schema, nothing is missing from its tables."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from follower.events import Gap, Jump, Notice, Position, Session, State, StateChange
from follower.osc.sink import encode
from follower.protocol.commands import control_of, parse, schema
from follower.protocol.messages import PROTOCOL_VERSION, message
from follower.websocket.limits import Limits
from tests.live_fakes import SESSION, position
from tests.paths import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8")
DEFINITIONS = schema()["$defs"]
SERVER_BLOCK, CLIENT_BLOCK = re.findall(r"```json\n(.*?)```", DOCUMENT, re.S)


def kinds(side: str) -> set[str]:
    names = [reference["$ref"].rpartition("/")[2] for reference in DEFINITIONS[side]["oneOf"]]
    return {DEFINITIONS[name]["properties"]["type"]["const"] for name in names}


def fits(side: str, content: object) -> bool:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{side}", "$defs": DEFINITIONS}).is_valid(content)


@pytest.mark.parametrize("line", SERVER_BLOCK.splitlines())
def test_server_examples_fit_the_schema(line: str) -> None:
    assert fits("server", json.loads(line))


@pytest.mark.parametrize("line", CLIENT_BLOCK.splitlines())
def test_client_examples_are_taken(line: str) -> None:
    assert fits("client", json.loads(line))
    control_of(parse(line))


@pytest.mark.parametrize("side", ["client", "server"])
def test_every_message_is_in_the_document(side: str) -> None:
    for kind in kinds(side):
        assert f"`{kind}`" in DOCUMENT, kind


def test_every_error_code_field_and_state_is_in_the_document() -> None:
    for code in DEFINITIONS["server_error"]["properties"]["code"]["enum"]:
        assert f"`{code}`" in DOCUMENT, code
    for name in DEFINITIONS["server_position"]["required"]:
        assert name == "type" or f"`{name}`" in DOCUMENT, name
    assert set(DEFINITIONS["state"]["enum"]) == {state.value for state in State}
    for state in State:
        assert f"`{state.value}`" in DOCUMENT


def test_the_version_is_the_same_everywhere() -> None:
    assert DEFINITIONS["server_hello"]["properties"]["protocol"]["const"] == PROTOCOL_VERSION
    assert f"Protocol version **{PROTOCOL_VERSION}**" in DOCUMENT


ITEMS = (
    SESSION,
    position(1),
    Position(0, 0, 44100, None, None, 1.0, 0.0, State.WAITING),
    StateChange(0, 44100, State.LOST, State.FOLLOWING, "why"),
    Jump(0, 44100, 1.0, 2.0),
    Gap(0, 44100, 64),
    Notice(0, 44100, "said"),
)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_every_event_fits_the_schema_and_its_osc_types_are_in_the_document(item: Session) -> None:
    content = message(item)
    assert fits("server", content)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    dgram = encode(item)
    address = dgram[: dgram.index(b"\0")].decode()
    tags = dgram[dgram.index(b",") + 1 :].split(b"\0")[0].decode()
    assert f"| `{address}` | `{' '.join(tags)}` |" in DOCUMENT


def test_the_schema_refuses_what_is_no_message() -> None:
    good = message(position(1))
    assert not fits("server", {**good, "confidence": 1.5})
    assert not fits("server", {**good, "state": "happy"})
    assert not fits("server", {k: v for k, v in good.items() if k != "seq"})
    assert not fits("server", {"type": "hello", "protocol": 1, "program_version": "1", "session": "live"})
    assert not fits("client", good)


def test_the_limits_are_as_documented() -> None:
    limits = Limits()
    for text in (
        f"over {limits.message_bytes >> 10} KiB", f"over {limits.frame_bytes >> 20} MiB",
        f"all {limits.sessions} audio sessions", f"more than {limits.messages_per_s:g} messages a second",
        f"{limits.message_burst} at once", f"After {limits.refusals} refused",
        f"{limits.audio_speed:g} times real time", f"{limits.frames_per_s:g} frames a second",
        f"At most {limits.clients} clients", f"nothing for {limits.stall_s:g} s",
    ):  # fmt: skip
        assert text in DOCUMENT.replace("\n", " "), text
