"""OSC in: commands become controls, anything else a line for people."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from follower.errors import OutputError, ProtocolError
from follower.osc.control import OscControl
from follower.protocol.address import Address
from follower.protocol.commands import Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.protocol.osc_arguments import decode_osc
from follower.session.controls import Control, ControlQueue, Refused
from tests.controls import ArrivalQueue


class WaitingQueue(ArrivalQueue):
    """Lets a test wait for the next control."""

    def next(self) -> Control:
        assert self.arrived.acquire(timeout=10.0)
        (control,) = self.take()
        return control


class Listening(contextlib.AbstractContextManager["Listening"]):
    def __init__(self) -> None:
        self.controls = WaitingQueue()
        self.hello = threading.Event()
        self._control = OscControl(Address("127.0.0.1", 0), self.controls, self.hello.set)

    def __enter__(self) -> Listening:
        self._control.__enter__()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.close()
        self._control.__exit__(kind, error, trace)

    def send(self, dgram: bytes) -> None:
        self._udp.sendto(dgram, ("127.0.0.1", self._control.port))


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening() as opened:
        yield opened


def message(address: str, *arguments: float | str) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument, "s" if isinstance(argument, str) else "d")
    dgram: bytes = builder.build().dgram
    return dgram


@pytest.mark.parametrize(
    ("dgram", "control"),
    [
        (message("/follower/start"), Start()),
        (message("/follower/stop"), Stop()),
        (message("/follower/pause"), Pause()),
        (message("/follower/resume"), Resume()),
        (message("/follower/seek", 12.5), Seek(12.5)),
        (message("/follower/playback", 3.0), PlaybackPosition(3.0, 1.0)),
        (message("/follower/playback", 3.0, 0.5), PlaybackPosition(3.0, 0.5)),
    ],
)
def test_commands(listening: Listening, dgram: bytes, control: Control) -> None:
    listening.send(dgram)
    assert listening.controls.next() == control


def test_hello_is_answered(listening: Listening) -> None:
    listening.send(message("/follower/hello"))
    assert listening.hello.wait(10.0)


def test_a_bundle_tagged_in_the_future_counts_now(listening: Listening) -> None:
    bundle = OscBundleBuilder(2.08e9)  # the year 2035
    seek = OscMessageBuilder("/follower/seek")
    seek.add_arg(7.0, "f")
    bundle.add_content(seek.build())
    listening.send(bundle.build().dgram)
    assert listening.controls.next() == Seek(7.0)


@pytest.mark.parametrize(
    "dgram",
    [
        b"",
        b"\xff" * 64,
        b"#bundle\0" + b"\xff" * 30,
        b"/follower/seek\0\0,d\0\0\1",
        message("/follower/fly"),
        message("/follower/seek"),
        message("/follower/seek", "there"),
        message("/follower/seek", -1.0),
        message("/follower/seek", float("nan")),
        message("/follower/seek", float("inf")),
    ],
)
def test_what_cannot_be_used_is_refused_and_listening_goes_on(listening: Listening, dgram: bytes) -> None:
    listening.send(dgram)
    refused = listening.controls.next()
    assert isinstance(refused, Refused)
    assert len(refused.message) < 200
    listening.send(message("/follower/stop"))
    assert listening.controls.next() == Stop()


@given(st.binary(max_size=200))
def test_no_datagram_raises_anything_else(dgram: bytes) -> None:
    queue = ControlQueue()
    control = OscControl(Address("127.0.0.1", 0), queue, lambda: None)
    with contextlib.suppress(ProtocolError):
        control._handle(dgram)


def test_a_number_is_no_boolean() -> None:
    with pytest.raises(ProtocolError, match="True"):
        decode_osc("/follower/seek", [True])


def test_a_port_in_use_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address(*taken.getsockname())
        with pytest.raises(OutputError, match=str(address)), OscControl(address, ControlQueue(), lambda: None):
            pass
