"""Positions as OSC messages over UDP (docs/protocol.md).

Plain messages, never bundles with a time tag: receivers hold back or lose what is tagged in the future. Time is in the
arguments.
"""

from __future__ import annotations

import contextlib
import enum
import socket
from collections.abc import Sequence

from pythonosc.osc_message_builder import OscMessageBuilder

from follower.errors import OutputError
from follower.events import Event, Position, Session
from follower.protocol.address import Address
from follower.protocol.conversion import message_of
from follower.protocol.osc_arguments import OSC_MESSAGES, osc_address, osc_values
from follower.session.background_sink import BackgroundSink

BURST = 4
"""Positions that may be sent together: one block can bring several. After a longer stall only the newest is sent."""


class TimeType(enum.Enum):
    """OSC type of times: 64-bit, or 32-bit for receivers without it (Pure Data)."""

    DOUBLE = "d"
    FLOAT = "f"


def encode(item: Session | Event, time_type: TimeType = TimeType.DOUBLE) -> bytes:
    r"""Return the OSC message of a session announcement or an event.

    Example:
        >>> from follower.events import Gap
        >>> encode(Gap(22050, 22050, 512))
        b'/follower/gap\x00\x00\x00,i\x00\x00\x00\x00\x02\x00'
    """
    message = message_of(item)
    builder = OscMessageBuilder(osc_address(type(message)))
    for value, kind in osc_values(message):
        builder.add_arg(value, time_type.value if kind == "d" else kind)
    dgram: bytes = builder.build().dgram
    return dgram


class OscSink(BackgroundSink):
    """Send every event to one or more OSC receivers.

    UDP never waits for a receiver: one that is not there, or too slow, loses messages and nobody else does.

    Args:
        targets: receivers.
        time_type: 64-bit or 32-bit times.

    Example:
        >>> with OscSink([Address("127.0.0.1", 9000)]) as sink:      # doctest: +SKIP
        ...     sink.send(Gap(0, 44100, 1))
    """

    def __init__(self, targets: Sequence[Address], time_type: TimeType = TimeType.DOUBLE) -> None:
        super().__init__(capacity=1024)
        self._targets = tuple(targets)
        self._time_type = time_type
        self._sockets: list[tuple[socket.socket, tuple[object, ...]]] = []
        self._session: Session | None = None

    def open(self) -> None:
        """Resolve the targets once; later a slow name server delays nothing.

        Raises:
            OutputError: a target's name cannot be resolved.
        """
        for target in self._targets:
            try:
                family, kind, proto, _, where = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)[0]
                udp = socket.socket(family, kind, proto)
            except OSError as e:
                self.close()
                raise OutputError(f"cannot send OSC to {target}: {e.strerror or e}; give HOST:PORT") from e
            udp.setblocking(False)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._sockets.append((udp, where))

    def begin(self, session: Session) -> None:
        """Send `/follower/hello`."""
        self._session = session
        super().begin(session)

    def announce(self) -> None:
        """Send `/follower/hello` again, on a receiver's request; any thread."""
        if self._session is not None:
            super().begin(self._session)

    def deliver(self, items: list[Session | Event]) -> None:
        """Send the items; of many positions, only the newest."""
        newest = [i for i in items if isinstance(i, Position)]
        stale = set(map(id, newest[:-1])) if len(newest) > BURST else set()
        for item in items:
            if id(item) in stale or type(message_of(item)) not in OSC_MESSAGES:
                continue
            dgram = encode(item, self._time_type)
            for udp, where in self._sockets:
                try:
                    udp.sendto(dgram, where)
                except OSError:  # full buffer, no route: this receiver misses this message
                    self._dropped += 1

    def close(self) -> None:
        """Close the sockets."""
        for udp, _ in self._sockets:
            with contextlib.suppress(OSError):
                udp.close()
        self._sockets.clear()
