"""What goes between the server's process and those of its engines: bytes whose meaning both sides agree on here.

A message is its length, a letter, and a payload. Blocks are plain samples, commands the protocol's JSON, events
MessagePack: numbers arrive bit for bit as they were. Nothing is pickled.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final

import msgspec
import numpy as np

from follower.events import AudioBlock, Elsewhere, Event, Gap, Jump, Notice, Position, State, StateChange

BLOCK: Final = b"B"
"""To the engine: a block; answered by events or a refusal."""
COMMAND: Final = b"C"
"""To the engine: a command; answered by events, a refusal or a failure."""
FINISH: Final = b"F"
"""To the engine: the stream is over; answered by the last events."""
EVENTS: Final = b"E"
"""From the engine: seconds of processor time it took, and what became known."""
REFUSED: Final = b"R"
"""From the engine: an `InputError`."""
FAILED: Final = b"X"
"""From the engine: another error."""
READY: Final = b"K"
"""From the engine: it is made."""

_HEAD: Final = struct.Struct("<Ic")
_BLOCK: Final = struct.Struct("<q")
_EVENTS: Final = struct.Struct("<d")
_KINDS: Final = (Position, StateChange, Jump, Elsewhere, Gap, Notice)
_NAMES: Final = tuple(tuple(f.name for f in fields(kind)) for kind in _KINDS)
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[tuple[int, list[Any]]])


def send(link: socket.socket, kind: bytes, payload: bytes = b"") -> None:
    """Send one message.

    Raises:
        OSError: the other side is gone.
    """
    link.sendall(_HEAD.pack(len(payload), kind) + payload)


def receive(link: socket.socket) -> tuple[bytes, bytes] | None:
    """Wait for one message; None when the other side is gone.

    Raises:
        OSError: the other side is gone in the middle of a message.
    """
    head = _receive_bytes(link, _HEAD.size)
    if head is None:
        return None
    length, kind = _HEAD.unpack(head)
    payload = _receive_bytes(link, length) if length else b""
    return None if payload is None else (kind, payload)


def _receive_bytes(link: socket.socket, n: int) -> bytes | None:
    parts, missing = [], n
    while missing:
        part = link.recv(missing)
        if not part:
            return None
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def encode_block(block: AudioBlock) -> bytes:
    """Return a block's payload; its capture time stays with the server."""
    return _BLOCK.pack(block.first_sample) + block.samples.astype("<f4", copy=False).tobytes()


def decode_block(payload: bytes) -> AudioBlock:
    """Return the block."""
    (first_sample,) = _BLOCK.unpack_from(payload)
    return AudioBlock(first_sample, np.frombuffer(payload, "<f4", offset=_BLOCK.size).astype(np.float32, copy=False))


def encode_events(events: Sequence[Event], compute_s: float) -> bytes:
    """Return the payload of events and of the processor time they took.

    Example:
        >>> gap = Gap(1024, 44100, 512)
        >>> decode_events(encode_events([gap], 0.5)) == ([gap], 0.5)
        True
    """
    found = []
    for event in events:
        kind = _KINDS.index(type(event))
        found.append((kind, [getattr(event, name) for name in _NAMES[kind]]))
    return _EVENTS.pack(compute_s) + _ENCODER.encode(found)


def decode_events(payload: bytes) -> tuple[list[Event], float]:
    """Return the events and the processor time they took."""
    events: list[Event] = []
    for kind, values in _DECODER.decode(payload[_EVENTS.size :]):
        named = dict(zip(_NAMES[kind], values, strict=True))
        for name in ("state", "previous"):
            if name in named:
                named[name] = State(named[name])
        if "places" in named:
            named["places"] = tuple(tuple(place) for place in named["places"])
        events.append(_KINDS[kind](**named))
    return events, float(_EVENTS.unpack_from(payload)[0])
