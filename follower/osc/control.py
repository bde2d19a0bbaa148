"""Control by OSC: the commands of the protocol as UDP datagrams."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pythonosc.osc_message import OscMessage
from pythonosc.osc_packet import OscPacket

from follower.errors import OutputError, ProtocolError
from follower.protocol.address import Address
from follower.protocol.commands import AskHello
from follower.protocol.osc_arguments import decode_osc
from follower.session.controls import ControlQueue, Refused

MAX_DATAGRAM_BYTES = 65536


def _not_of_pythonosc(record: logging.LogRecord) -> bool:
    """python-osc logs what it cannot read, up to the whole datagram, to the root logger, and that is the terminal."""
    return "pythonosc" not in record.pathname


class OscControl:
    """Listens on a UDP port in a thread and queues what it is asked.

    Args:
        address: where to listen; port 0 picks a free one.
        controls: where the controls go.
        on_hello: called when a receiver asks for `/follower/hello`.
    """

    def __init__(
        self,
        address: Address,
        controls: ControlQueue,
        on_hello: Callable[[], None],
    ) -> None:
        self._address = address
        self._controls = controls
        self._on_hello = on_hello
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def port(self) -> int:
        """Port listened on; valid once open."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        """Bind and listen.

        Raises:
            OutputError: the address cannot be bound.
        """
        udp: socket.socket | None = None
        try:
            family, kind, proto, _, where = socket.getaddrinfo(
                self._address.host, self._address.port, type=socket.SOCK_DGRAM
            )[0]
            udp = socket.socket(family, kind, proto)
            udp.bind(where)
        except OSError as e:
            if udp is not None:
                udp.close()
            raise OutputError(
                f"cannot listen for OSC on {self._address}: {e.strerror or e}; choose another --osc-in"
            ) from e
        self._socket = udp
        self._closing = False
        logging.getLogger().addFilter(_not_of_pythonosc)
        self._thread = threading.Thread(target=self._listen, name="OscControl", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        assert self._socket is not None and self._thread is not None
        self._closing = True
        # A datagram to ourselves wakes the thread; shutdown() does not wake an unconnected UDP socket everywhere.
        with contextlib.suppress(OSError), socket.socket(self._socket.family, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join(timeout=5.0)
        self._socket.close()
        logging.getLogger().removeFilter(_not_of_pythonosc)

    def _listen(self) -> None:
        assert self._socket is not None
        while True:
            try:
                dgram = self._socket.recv(MAX_DATAGRAM_BYTES)
            except OSError:
                if self._closing:
                    return
                continue
            if self._closing:
                return
            try:
                self._handle(dgram)
            except ProtocolError as e:
                self._controls.put(Refused(f"OSC message refused: {e}"))

    def _handle(self, dgram: bytes) -> None:
        try:
            # Bundles are opened, their time tags ignored: a command means now.
            messages: list[OscMessage] = [timed.message for timed in OscPacket(dgram).messages]
        except Exception as e:  # whatever the parser stumbles over must not end the listening
            raise ProtocolError(f"{len(dgram)} bytes that are not OSC ({e!s:.80})") from None
        for message in messages:
            request = decode_osc(message.address, list(message.params))
            if isinstance(request, AskHello):
                self._on_hello()
            else:
                self._controls.put(request)
