"""docs/protocol.md says what the program does: its examples are taken, its tables and the schema are the Structs'."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from follower.events import Gap, Jump, Notice, Position, Practice, Session, State, StateChange
from follower.osc.sink import encode
from follower.protocol.codec import decode_message, decode_request, kind_of, to_object
from follower.protocol.commands import REQUESTS, Request
from follower.protocol.conversion import message_of
from follower.protocol.messages import MESSAGES, PROTOCOL_VERSION, Message
from follower.protocol.schema import COMMITTED, schema, schema_text
from follower.protocol.tables import osc_commands, osc_messages
from follower.protocol.typescript import TYPES, typescript_text
from follower.testing import SESSION, position
from follower.websocket.limits import Limits
from tests.paths import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8")
DEFINITIONS = schema()["$defs"]
SERVER_BLOCK, CLIENT_BLOCK = re.findall(r"```json\n(.*?)```", DOCUMENT, re.S)


def fits(side: str, content: object) -> bool:
    return bool(jsonschema.Draft202012Validator({"$ref": f"#/$defs/{side}", "$defs": DEFINITIONS}).is_valid(content))


@pytest.mark.parametrize("line", SERVER_BLOCK.splitlines())
def test_server_examples_fit_the_schema(line: str) -> None:
    assert fits("server", json.loads(line))
    message = decode_message(json.loads(line))
    assert message is not None
    assert to_object(message) == json.loads(line)


@pytest.mark.parametrize("line", CLIENT_BLOCK.splitlines())
def test_client_examples_are_taken(line: str) -> None:
    assert fits("client", json.loads(line))
    decode_request(line)


def table_after(heading: str) -> str:
    """The first column of the first table after a heading."""
    lines = DOCUMENT.partition(heading)[2].splitlines()
    rows = [line.split("|")[1] for line in lines[: lines.index("```json")] if line.startswith("| ")]
    return " ".join(rows)


@pytest.mark.parametrize(("heading", "structs"), [("From the server", MESSAGES), ("From the client", REQUESTS)])
def test_every_struct_is_in_its_table(heading: str, structs: tuple[type[Message] | type[Request], ...]) -> None:
    table = table_after(f"### {heading}")
    for struct in structs:
        assert f"`{kind_of(struct)}`" in table, struct


@pytest.mark.parametrize("table", [osc_messages(), osc_commands()], ids=["out", "in"])
def test_the_osc_tables_are_those_of_the_structs(table: str) -> None:
    assert table in DOCUMENT


def test_the_committed_schema_is_the_structs() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), "run: python -m follower.protocol.schema"


def test_the_committed_types_of_the_page_are_the_structs() -> None:
    assert TYPES.read_text(encoding="utf-8") == typescript_text(), "run: python -m follower.protocol.typescript"


def test_every_error_code_field_and_state_is_in_the_document() -> None:
    for code in DEFINITIONS["ErrorMessage"]["properties"]["code"]["enum"]:
        assert f"`{code}`" in DOCUMENT, code
    for name in DEFINITIONS["PositionMessage"]["required"]:
        assert name == "type" or f"`{name}`" in DOCUMENT, name
    assert set(DEFINITIONS["State"]["enum"]) == {state.value for state in State}
    for state in State:
        assert f"`{state.value}`" in DOCUMENT


def test_the_version_is_the_same_everywhere() -> None:
    assert DEFINITIONS["HelloMessage"]["properties"]["protocol"]["enum"] == [PROTOCOL_VERSION]
    assert f"Protocol version **{PROTOCOL_VERSION}**" in DOCUMENT


ITEMS = (
    SESSION,
    position(1),
    Position(0, 0, 44100, None, None, 1.0, 0.0, State.WAITING),
    StateChange(0, 44100, State.LOST, State.FOLLOWING, "why"),
    Jump(0, 44100, 1.0, 2.0),
    Gap(0, 44100, 64),
    Notice(0, 44100, "said"),
    Practice(0, 44100),
)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_every_event_fits_the_schema_and_its_osc_types_are_in_the_document(item: Session) -> None:
    content = to_object(message_of(item))
    assert fits("server", content)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    dgram = encode(item)
    address = dgram[: dgram.index(b"\0")].decode()
    tags = dgram[dgram.index(b",") + 1 :].split(b"\0")[0].decode()
    assert f"| `{address}` | `{' '.join(tags)}` |" in DOCUMENT


def test_the_schema_refuses_what_is_no_message() -> None:
    good = to_object(message_of(position(1)))
    assert not fits("server", {**good, "confidence": 1.5})
    assert not fits("server", {**good, "state": "happy"})
    assert not fits("server", {k: v for k, v in good.items() if k != "seq"})
    assert not fits("server", {"type": "hello", "protocol": 1, "program_version": "1", "session": "live"})
    assert not fits("client", good)


def test_the_limits_are_as_documented() -> None:
    limits = Limits()
    for text in (
        f"over {limits.message_bytes >> 10} KiB", f"over {limits.frame_bytes >> 20} MiB",
        f"all audio sessions are taken (`--sessions`, {limits.sessions})",
        f"more than {limits.messages_per_s:g} messages a second",
        f"{limits.message_burst} at once", f"After {limits.refusals} refused",
        f"{limits.audio_speed:g} times real time", f"{limits.frames_per_s:g} frames a second",
        f"At most {limits.clients} clients", f"nothing for {limits.stall_s:g} s",
    ):  # fmt: skip
        assert text in DOCUMENT.replace("\n", " "), text
