"""How a blackbox lies in its file: a head, then a ring of slots that hold one stream of records.

Slot n of the stream is at place n modulo the number of slots, with its own number and checksum, so that what is being
overwritten when the program is killed spoils nothing but itself. A record may go over several slots; each slot says
where in it the first record begins. Numbers are little endian; texts are UTF-8 JSON. Nothing is pickled.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from follower.errors import FollowerError, InputError
from follower.events import AudioBlock
from follower.protocol.codec import decode_request, encode
from follower.protocol.commands import Command

MAGIC: Final = b"concerto-follower blackbox 1\n"
SLOT_BYTES: Final = 1 << 14
"""At 48 kHz a slot is 85 ms."""
NO_RECORD: Final = 0xFFFF
_SLOT: Final = struct.Struct("<4s8sQHHI")
"""Mark, session, number, bytes used, where the first record begins, checksum."""
_MARK: Final = b"cfbb"
ROOM: Final = SLOT_BYTES - _SLOT.size
"""Bytes of the stream in a slot."""
_RECORD: Final = struct.Struct("<cI")
_AUDIO: Final = struct.Struct("<qd")
_DIGEST: Final = struct.Struct("<Q32s")
_MISSING: Final = struct.Struct("<Q")
MAX_RECORD_BYTES: Final = 1 << 26
"""Longer ones are damage: 16 million samples in a block."""


class Checkpoint(NamedTuple):
    """What had come out of the engine by then: number of events since its last fresh start, and their checksum."""

    events: int
    digest: bytes


class Missing(NamedTuple):
    """So many records could not be kept here: the disk did not keep up."""

    records: int


class End(NamedTuple):
    """The session ended; a killed program's blackbox has no such record."""


Record: TypeAlias = AudioBlock | Command | Checkpoint | Missing | End


@dataclass(frozen=True)
class Head:
    """What a blackbox says about its session.

    Attributes:
        program_version: that followed.
        libraries: versions of Python and of the libraries that compute.
        machine: processor architecture and system.
        begun: date and time, ISO 8601, UTC.
        session: 16 hexadecimal digits that tell this session's slots from those of an earlier one.
        piece: folder of the prepared piece.
        piece_sha256: of its manifest, which has the configuration and the checksums of everything else.
        method: name of the frontier.
        start_s: where the pianist was to begin (s of the orchestra recording); None for unknown.
        sample_rate_hz: of the stream.
        slots: how many there are.
    """

    program_version: str
    libraries: str
    machine: str
    begun: str
    session: str
    piece: str
    piece_sha256: str
    method: str
    start_s: float | None
    sample_rate_hz: int
    slots: int

    def encode(self) -> bytes:
        """Return the first `SLOT_BYTES` of the file.

        Raises:
            InputError: it does not fit, as with a path of many thousand characters.
        """
        content = MAGIC + json.dumps(asdict(self), allow_nan=False).encode() + b"\n"
        if len(content) > SLOT_BYTES:
            raise InputError("the path of the piece is too long for a blackbox; use a shorter one")
        return content.ljust(SLOT_BYTES, b"\0")

    @classmethod
    def decode(cls, content: bytes) -> Head:
        """Return what the first bytes of a file say.

        Raises:
            InputError: they are damaged, or no head of a blackbox.
        """
        if not content.startswith(MAGIC):
            raise InputError("it is no blackbox of this version")
        try:
            found = json.loads(content[len(MAGIC) :].partition(b"\n")[0])
            head = cls(**{f.name: found[f.name] for f in fields(cls)})
            texts = (f.name for f in fields(cls) if f.type == "str")
            whole = (head.sample_rate_hz, head.slots)
            start_s = 0.0 if head.start_s is None else head.start_s
            if (
                not all(isinstance(getattr(head, name), str) for name in texts)
                or not all(type(n) is int and 0 < n < 1 << 31 for n in whole)
                or type(start_s) not in (int, float)
                or not math.isfinite(start_s)
                or len(bytes.fromhex(head.session)) != 8
            ):
                raise ValueError("a value is not of its kind")
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as e:
            raise InputError(f"its head is damaged ({e!r:.80})") from None
        return head


def is_blackbox(path: Path) -> bool:
    """Whether a file begins as a blackbox does; what cannot be read is none."""
    try:
        with path.open("rb") as f:
            return f.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def encode_record(record: Record) -> bytes:
    """Return a record's bytes in the stream."""
    match record:
        case AudioBlock(first_sample, samples, capture_time_s):
            head = _AUDIO.pack(first_sample, math.nan if capture_time_s is None else capture_time_s)
            return _framed(b"A", head + samples.astype("<f4").tobytes())
        case Checkpoint(events, digest):
            return _framed(b"D", _DIGEST.pack(events, digest))
        case Missing(records):
            return _framed(b"M", _MISSING.pack(records))
        case End():
            return _framed(b"E", b"")
        case command:
            return _framed(b"C", encode(command).encode())


def _framed(kind: bytes, payload: bytes) -> bytes:
    return _RECORD.pack(kind, len(payload)) + payload


def decode_record(kind: bytes, payload: bytes) -> Record:
    """Return the record in these bytes.

    Raises:
        InputError: they are damaged.
    """
    try:
        match kind:
            case b"A":
                first_sample, captured_s = _AUDIO.unpack_from(payload)
                samples: NDArray[np.float32] = np.frombuffer(payload, "<f4", offset=_AUDIO.size).astype(np.float32)
                return AudioBlock(first_sample, samples, None if math.isnan(captured_s) else captured_s)
            case b"C":
                command = decode_request(payload.decode())
                if isinstance(command, Command):
                    return command
            case b"D":
                return Checkpoint(*_DIGEST.unpack(payload))
            case b"M":
                return Missing(*_MISSING.unpack(payload))
            case b"E":
                return End()
    except (ValueError, struct.error, FollowerError) as e:
        raise InputError(f"a record is damaged ({e!r:.80})") from None
    raise InputError("a record is damaged: its kind is unknown")


def take_record(stream: bytes | bytearray, at: int) -> tuple[Record, int] | None:
    """Return the record that begins at `at`, and where the next one does; None when it is not whole yet.

    Raises:
        InputError: it is damaged.
    """
    if len(stream) - at < _RECORD.size:
        return None
    kind, length = _RECORD.unpack_from(stream, at)
    if length > MAX_RECORD_BYTES:
        raise InputError("a record is damaged: it is too long")
    begin, end = at + _RECORD.size, at + _RECORD.size + length
    if len(stream) < end:
        return None
    return decode_record(kind, bytes(stream[begin:end])), end


class Slot(NamedTuple):
    """One slot: its number in the stream, where in it the first record begins (None: nowhere), its bytes."""

    number: int
    first_record: int | None
    content: bytes

    def encode(self, session: bytes) -> bytes:
        """Return the slot's bytes in the file; only those that are used."""
        first = NO_RECORD if self.first_record is None else self.first_record
        checksum = zlib.crc32(session + struct.pack("<QHH", self.number, len(self.content), first) + self.content)
        return _SLOT.pack(_MARK, session, self.number, len(self.content), first, checksum) + self.content

    @classmethod
    def decode(cls, data: bytes, session: bytes) -> Slot | None:
        """Return the slot in these bytes; None when it is damaged or of another session."""
        number = slot_number(data, session)
        if number is None:
            return None
        *_, used, first, checksum = _SLOT.unpack_from(data)
        content = data[_SLOT.size : _SLOT.size + used]
        if len(content) != used or zlib.crc32(session + struct.pack("<QHH", number, used, first) + content) != checksum:
            return None
        return cls(number, None if first == NO_RECORD else min(first, used), content)


def slot_number(data: bytes, session: bytes) -> int | None:
    """Return which slot of the stream a place says it holds; None when it holds none of this session."""
    if len(data) < _SLOT.size:
        return None
    mark, owner, number, *_ = _SLOT.unpack_from(data)
    return int(number) if mark == _MARK and owner == session else None


SLOT_HEAD_BYTES: Final = _SLOT.size


def libraries() -> str:
    """Versions of what computes: with others, positions may differ in their last bits."""
    import platform
    from importlib.metadata import version

    names = ("numpy", "scipy", "numba", "soxr")
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])


def machine() -> str:
    """Processor architecture and system."""
    import platform

    return f"{platform.machine()} {platform.system()}"
