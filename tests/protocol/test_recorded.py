"""Protocol 1 goes on: what was recorded before the vocabulary was rewritten is what the program says today.

Byte for byte, with exceptions: the words (not the code, not the message named) of an error about a property, the
words in which parsers report what is no JSON or OSC, the order of the properties in the hello to one who connects
to a running session, the list of the types there are, and the piece's name behind the other arguments of OSC's hello.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage

from follower.errors import ProtocolError
from follower.events import Session
from tests.protocol.recorded import (
    DATA,
    ITEMS,
    OSC_REFUSED,
    OSC_TAKEN,
    REFUSED,
    TAKEN,
    conversation,
    done,
    refused,
    said,
    taken,
)


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


MESSAGES = recorded("messages.jsonl")
COMMANDS = recorded("commands.jsonl")
REFUSALS = recorded("refused.jsonl")
OSC_COMMANDS = recorded("osc_commands.jsonl")
OSC_REFUSALS = recorded("osc_refused.jsonl")


def test_every_case_is_recorded() -> None:
    assert [line["item"] for line in MESSAGES] == list(ITEMS)
    assert [line["send"] for line in COMMANDS] == list(TAKEN)
    assert [line["n"] for line in REFUSALS] == list(range(len(REFUSED)))
    assert [bytes.fromhex(line["datagram"]) for line in OSC_COMMANDS] == list(OSC_TAKEN)
    assert [bytes.fromhex(line["datagram"]) for line in OSC_REFUSALS] == list(OSC_REFUSED)


@pytest.mark.parametrize("line", MESSAGES, ids=lambda line: str(line["item"]))
def test_messages(line: dict[str, str]) -> None:
    now = said(ITEMS[line["item"]])
    if isinstance(ITEMS[line["item"]], Session):
        for form in ("osc", "osc_float"):
            was, words = (OscMessage(bytes.fromhex(str(d))).params for d in (line[form], now.pop(form)))
            assert words == [*was, ""]
    assert {**line, **now} == line


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: str(line["send"]))
def test_commands(line: dict[str, str]) -> None:
    assert taken(line["send"]) == line["asks"]


@pytest.mark.parametrize("line", REFUSALS, ids=lambda line: REFUSED[line["n"]][:60])
def test_refusals(line: dict[str, Any]) -> None:
    code, message = refused(REFUSED[line["n"]])
    assert code == line["code"]
    if message.startswith("not JSON"):
        assert line["message"].startswith("not JSON")
        assert message.partition(");")[2] == line["message"].partition(");")[2]
    elif message.startswith("unknown type"):
        assert message.partition("; send one of ")[0] == line["message"].partition("; send one of ")[0]
        assert set(line["message"].rpartition("one of ")[2].split(", ")) <= set(
            message.rpartition("one of ")[2].split(", ")
        )
    elif ": " in message:  # kind or kind.property, then the words
        assert message.partition(":")[0] == line["message"].partition(":")[0]
    else:
        assert message == line["message"]


@pytest.mark.parametrize("line", OSC_COMMANDS, ids=lambda line: str(line["does"]))
def test_osc_commands(line: dict[str, Any]) -> None:
    assert done(bytes.fromhex(line["datagram"])) == line["does"]


@pytest.mark.parametrize("line", OSC_REFUSALS, ids=lambda line: str(line["refused"]))
def test_osc_refusals(line: dict[str, str]) -> None:
    with pytest.raises(ProtocolError) as refusal:
        done(bytes.fromhex(line["datagram"]))
    said_now, said_then = str(refusal.value), line["refused"]
    if said_then.startswith("argument"):
        assert said_now.partition(" is ")[0] == said_then.partition(" is ")[0]
    else:
        assert said_now.partition("(")[0] == said_then.partition("(")[0]


def test_a_conversation() -> None:
    before, now = recorded("conversation.jsonl"), conversation()
    assert len(now) == len(before)
    for then, line in zip(before, now, strict=True):
        if then == line:
            continue
        assert then.keys() == line.keys() == {"server"}
        a, b = json.loads(then["server"]), json.loads(line["server"])
        if a["type"] == "hello":
            assert (a, "session" in a) == (b, True)
        else:
            assert (a["type"], a["code"], b["code"]) == ("error", "invalid", "invalid")
            assert a["message"].partition(":")[0] == b["message"].partition(":")[0]
