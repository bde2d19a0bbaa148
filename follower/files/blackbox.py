"""The blackbox: a file that keeps the last minutes of all that went into an engine, whatever happens to the program."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from follower.errors import OutputError
from follower.events import AudioBlock, Event
from follower.files.blackbox_format import (
    ROOM,
    SLOT_BYTES,
    Checkpoint,
    End,
    Head,
    Missing,
    Record,
    Slot,
    encode_record,
    is_blackbox,
    libraries,
    machine,
)
from follower.piece.manifest import manifest_sha256
from follower.protocol.commands import Command
from follower.session.background_writer import BackgroundWriter
from follower.session.recorder import EventDigest
from follower.version import program_version

DEFAULT_MINUTES: Final = 120.0
CHECKPOINT_S: Final = 0.5
"""So often what came out of the engine is noted, for the replay to compare (s of audio)."""
WRITE_S: Final = 0.3
"""A slot that is not full is written after so long: that much is lost when the program is killed."""
OVERHEAD: Final = 1.1
"""Room for what stands beside the samples; blocks of 64 have 8 % of it."""
CAPACITY: Final = 4000
"""Records that may wait for the disk: 40 s of blocks of 512 samples at 48 kHz."""


class Blackbox(BackgroundWriter[tuple[int, bytes]]):
    """Keep what an engine takes in a ring file, from a thread of its own; a `follower.session.recorder.Recorder`.

    The file grows up to its size and only its owner may read it: it holds sound. A blackbox that is there already,
    perhaps of a session that was killed, is kept as NAME.previous.

    Args:
        path: the file.
        piece: folder of the prepared piece.
        method: of the engine.
        start_s: of the engine.
        sample_rate_hz: of the engine.
        minutes: of audio that are kept at least.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        path: Path,
        piece: Path,
        method: str,
        start_s: float | None,
        sample_rate_hz: int,
        minutes: float = DEFAULT_MINUTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(CAPACITY)
        self._path = path
        self._piece = piece
        self._engine = (method, start_s, sample_rate_hz)
        self._slots = max(int(60 * minutes * 4 * OVERHEAD * sample_rate_hz / ROOM), 4)
        self._clock = clock
        self._digest = EventDigest()
        self._count = 0
        self._checkpoint_samples = round(CHECKPOINT_S * sample_rate_hz)
        self._since_checkpoint = 0
        self._expected = 0
        self._descriptor: int | None = None
        self._session = b""
        self._slot = 0
        self._content = bytearray()
        self._first_record: int | None = None
        self._written_s = 0.0

    @property
    def name(self) -> str:
        """The file."""
        return str(self._path)

    def open(self) -> None:
        """Create the file and write its head.

        Raises:
            OutputError: it cannot be written, or another file of that name is there.
        """
        self._session = secrets.token_bytes(8)
        method, start_s, sample_rate_hz = self._engine
        try:
            head = Head(
                program_version(),
                libraries(),
                machine(),
                datetime.now(UTC).isoformat(timespec="seconds"),
                self._session.hex(),
                str(self._piece.resolve()),
                manifest_sha256(self._piece),
                method,
                start_s,
                sample_rate_hz,
                self._slots,
            ).encode()
            self._keep_previous()
            self._descriptor = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
            )
            self._write_at(0, head)
        except OSError as e:
            raise OutputError(
                f"cannot write the blackbox {self._path}: {e.strerror or e}; choose a file you may write"
            ) from e

    def _keep_previous(self) -> None:
        if not self._path.exists():
            return
        if not is_blackbox(self._path):
            raise OutputError(f"{self._path} is there and no blackbox; choose another file with --blackbox")
        self._path.replace(self._path.with_name(f"{self._path.name}.previous"))

    # In the engine's thread.

    def heard(self, block: AudioBlock, events: Sequence[Event]) -> None:
        """Keep a block."""
        self._digest.heard(block, events)
        self._keep(block)
        self._since_checkpoint += len(block.samples)
        if self._since_checkpoint >= self._checkpoint_samples:
            self._checkpoint()

    def commanded(self, command: Command, events: Sequence[Event]) -> None:
        """Keep a command."""
        self._digest.commanded(command, events)
        self._keep(command)

    def _checkpoint(self) -> None:
        self._since_checkpoint = 0
        self._keep(Checkpoint(self._digest.count, self._digest.value()))

    def _keep(self, record: Record) -> None:
        # As bytes: the samples may lie in a buffer that the source fills again.
        self.put((self._count, encode_record(record)))
        self._count += 1

    # In the thread of its own.

    def deliver(self, items: list[tuple[int, bytes]]) -> None:
        """Append the records; what was pushed out of the queue before them is noted."""
        for number, data in items:
            if number > self._expected:
                self._append(encode_record(Missing(number - self._expected)))
            self._expected = number + 1
            self._append(data)
        if self._content and self._clock() - self._written_s >= WRITE_S:
            self._write_slot()

    def _append(self, data: bytes) -> None:
        if self._first_record is None:
            self._first_record = len(self._content)
        while data:
            free = ROOM - len(self._content)
            self._content += data[:free]
            data = data[free:]
            if len(self._content) == ROOM:
                self._write_slot()
                self._slot += 1
                self._content.clear()
                self._first_record = None

    def _write_slot(self) -> None:
        slot = Slot(self._slot, self._first_record, bytes(self._content)).encode(self._session)
        self._write_at(1 + self._slot % self._slots, slot)
        self._written_s = self._clock()

    def _write_at(self, place: int, data: bytes) -> None:
        assert self._descriptor is not None
        os.lseek(self._descriptor, place * SLOT_BYTES, os.SEEK_SET)
        while data:
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        """Write what is left, and that the session has ended."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        try:
            if self._failure is None:
                final = Checkpoint(self._digest.count, self._digest.value())
                self._append(encode_record(final))
                self._append(encode_record(End()))
                self._write_slot()
        finally:
            self._descriptor = None
            with contextlib.suppress(OSError):
                os.close(descriptor)
