"""OSC out: the exact layout, real sockets, and no receiver that can delay the sender."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest
from pythonosc.osc_message import OscMessage

from follower.errors import OutputError
from follower.events import Event, Gap, Jump, Notice, Position, Session, State, StateChange
from follower.osc.sink import BURST, OscSink, TimeType, encode
from follower.protocol.address import Address
from follower.testing import SESSION, position

RATE = 44100


def type_tags(dgram: bytes) -> str:
    """The type tag string, read by hand: python-osc hides it."""
    start = dgram.index(b",")
    return dgram[start + 1 : dgram.index(b"\0", start)].decode()


@contextlib.contextmanager
def receiver() -> Iterator[tuple[socket.socket, Address]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(10.0)
        yield udp, Address(*udp.getsockname())


def receive(udp: socket.socket) -> tuple[str, list[object]]:
    message = OscMessage(udp.recv(4096))
    return message.address, list(message.params)


@pytest.mark.parametrize(
    ("item", "address", "tags", "values"),
    [
        (SESSION, "/follower/hello", "issidds", [1, "1.2.3", "tempo", RATE, 100.0, 110.0, ""]),
        (
            Position(7, RATE, RATE, 12.25, 13.0, 1.5, 0.75, State.FOLLOWING, 1e6 + 0.125, 2.5),
            "/follower/position",
            "idffsddf",
            [7, 12.25, 1.5, 0.75, "following", 1.0, 1e6 + 0.125, 2.5],
        ),
        (
            Position(0, 0, RATE, None, None, 1.0, 0.0, State.WAITING),
            "/follower/position",
            "idffsddf",
            [0, -1.0, 1.0, 0.0, "waiting", 0.0, -1.0, -1.0],
        ),
        (StateChange(0, RATE, State.LOST, State.FOLLOWING, "why"), "/follower/state", "s", ["lost"]),
        (Jump(0, RATE, 1.0, 2.0), "/follower/jump", "dd", [1.0, 2.0]),
        (Gap(0, RATE, 64), "/follower/gap", "i", [64]),
        (Notice(0, RATE, "hello"), "/follower/notice", "s", ["hello"]),
    ],
)
def test_layout(item: Session | Event, address: str, tags: str, values: list[object]) -> None:
    dgram = encode(item)
    assert type_tags(dgram) == tags
    message = OscMessage(dgram)
    assert (message.address, list(message.params)) == (address, values)
    assert type_tags(encode(item, TimeType.FLOAT)) == tags.replace("d", "f")


def test_float_mode_keeps_the_position_to_a_tenth_of_a_millisecond() -> None:
    at = Position(0, 0, RATE, 719.1234, 0.0, 1.0, 1.0, State.FOLLOWING)
    assert OscMessage(encode(at, TimeType.FLOAT)).params[1] == pytest.approx(719.1234, abs=1e-4)


def test_every_target_gets_the_hello_and_the_events_in_order() -> None:
    with receiver() as (a, to_a), receiver() as (b, to_b), OscSink([to_a, to_b]) as sink:
        sink.begin(SESSION)
        sink.send(position(0))
        for udp in (a, b):
            assert receive(udp)[0] == "/follower/hello"
            assert receive(udp)[1][0] == 0


def test_hello_again_on_request() -> None:
    with receiver() as (udp, to), OscSink([to]) as sink:
        sink.announce()  # before the session: nothing to say yet
        sink.begin(SESSION)
        sink.announce()
        assert [receive(udp)[0], receive(udp)[0]] == ["/follower/hello", "/follower/hello"]


def test_after_a_stall_only_the_newest_position_is_sent_and_nothing_else_is_lost() -> None:
    with receiver() as (udp, to):
        sink = OscSink([to])
        sink.open()
        sink.deliver([*(position(n) for n in range(BURST + 1)), Gap(0, RATE, 1), position(99)])
        assert receive(udp) == ("/follower/gap", [1])
        assert receive(udp)[1][0] == 99
        sink.deliver([position(100), position(101)])  # two at once is no stall
        assert [receive(udp)[1][0], receive(udp)[1][0]] == [100, 101]
        sink.close()


def test_a_target_that_cannot_be_reached_costs_the_others_nothing() -> None:
    with receiver() as (udp, to), OscSink([Address("127.0.0.1", 0), to]) as sink:  # port 0 cannot be sent to
        sink.send(position(5))
        assert receive(udp)[1][0] == 5
    assert sink.dropped == 1
    assert sink.failure is None


def test_a_name_that_does_not_resolve_is_an_error_at_once() -> None:
    target = Address("no-such-host.invalid", 9000)
    with pytest.raises(OutputError, match=re.escape(str(target))), OscSink([target]):
        pass
