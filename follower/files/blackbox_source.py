"""Replay of a blackbox: the same blocks and commands in the same order, compared with what came out then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from follower.errors import InputError
from follower.events import AudioBlock, Notice
from follower.files.blackbox_format import (
    SLOT_BYTES,
    SLOT_HEAD_BYTES,
    Checkpoint,
    End,
    Head,
    Missing,
    Record,
    Slot,
    slot_number,
    take_record,
)
from follower.protocol.commands import Start
from follower.session.controls import ControlQueue
from follower.session.recorder import EventDigest

COMMANDS: Final = 10_000
"""Commands that may stand before one block; a session takes 64 at most."""


def read_head(path: Path) -> Head:
    """Return what a blackbox says about its session.

    Raises:
        InputError: it cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as f:
            return Head.decode(f.read(SLOT_BYTES))
    except OSError as e:
        raise InputError(f"cannot read the blackbox {path}: {e.strerror or e}") from e
    except InputError as e:
        raise InputError(f"the blackbox {path} cannot be used: {e}") from None


@dataclass(frozen=True)
class Comparison:
    """What a replay had in common with the performance.

    Attributes:
        events: how many were compared and found the same, bit for bit.
        differs_at_s: time of the audio by which they differed; None when they never did.
        unknown_s: seconds of audio at the end, or where records are missing, that could not be compared.
        dropped: whether the beginning had been overwritten.
        killed: whether the program ended without closing it.
    """

    events: int
    differs_at_s: float | None
    unknown_s: float
    dropped: bool
    killed: bool

    def __str__(self) -> str:
        """In words, one line."""
        words = ["the program was killed" if self.killed else "the session ended as it should"]
        if self.dropped:
            words.append("its beginning was overwritten")
        if self.differs_at_s is not None:
            words.append(
                f"the events are others than then, from {self.differs_at_s:.1f} s of the audio on at the latest"
            )
        elif self.events:
            words.append(f"{self.events} events are the same as then, bit for bit")
        if self.unknown_s >= 1.0 or not self.events:
            words.append(f"{self.unknown_s:.1f} s could not be compared")
        return "; ".join(words)


class BlackboxSource:
    """Stream a blackbox from the beginning of its session, or from the first fresh start that is still there.

    Where neither is left, from the oldest block on: the positions are then not those of the performance, and a notice
    says so.

    Args:
        path: of the blackbox.
        controls: where its commands go; the runner takes them before the next block, as it did then.
        digest: of what comes out now; give it to the runner as its recorder.
        speed: 1.0 is real time, 2.0 twice as fast; None is as fast as the consumer takes it, without capture times.
        clock: monotonic seconds, for the pace and the capture times.
        wait: sleeps that many seconds.
    """

    def __init__(
        self,
        path: Path,
        controls: ControlQueue,
        digest: EventDigest,
        speed: float | None = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._controls = controls
        self._digest = digest
        self._speed = speed
        self._clock = clock
        self._wait = wait
        self._file: BinaryIO | None = None
        self._head: Head | None = None
        self._stopped = False
        self._events_before = self._events = 0
        self._differs_at_s: float | None = None
        self._compared_sample = 0
        self._sample = 0
        self._dropped = False
        self._ended = False
        self._comparable = True

    @property
    def head(self) -> Head:
        """What it says about its session; valid once opened."""
        if self._head is None:
            raise InputError(f"{self._path} is not open; use it in a with statement")
        return self._head

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the stream."""
        return self.head.sample_rate_hz

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            InputError: it cannot be read, or is damaged.
        """
        self._head = read_head(self._path)
        self._file = self._path.open("rb")
        self._stopped = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def stop(self) -> None:
        """End `blocks` after the current block."""
        self._stopped = True

    def comparison(self) -> Comparison:
        """What was found; asked when `blocks` has ended."""
        unknown_s = (self._sample - self._compared_sample) / self.sample_rate_hz
        return Comparison(
            self._events_before + self._events, self._differs_at_s, unknown_s, self._dropped, not self._ended
        )

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield its blocks, each when it was captured; commands go to the queue before the block they came before."""
        rate_hz = self.sample_rate_hz
        begun_s: float | None = None
        first = 0
        for record in self._from_a_fresh_start():
            if self._stopped:
                return
            match record:
                case AudioBlock():
                    if begun_s is None:
                        begun_s, first = self._clock(), record.first_sample
                    self._sample = record.first_sample + len(record.samples)
                    due_s: float | None = None
                    if self._speed is not None:
                        due_s = begun_s + (self._sample - first) / rate_hz / self._speed
                        while (left_s := due_s - self._clock()) > 0 and not self._stopped:
                            self._wait(min(left_s, 0.1))
                    yield AudioBlock(record.first_sample, record.samples, due_s)
                case Checkpoint(count, digest):
                    self._compare(count, digest)
                case Missing(records):
                    self._comparable = False
                    yield self._notice(f"{records} records are missing here: the disk did not keep up")
                case End():
                    self._ended = True
                case Notice():
                    yield record
                case command:
                    if isinstance(command, Start):
                        self._comparable = True
                        self._events_before += self._events
                        self._events = 0
                    self._controls.put(command)

    def _compare(self, count: int, digest: bytes) -> None:
        if not self._comparable or self._differs_at_s is not None:
            return
        if (count, digest) != (self._digest.count, self._digest.value()):
            self._differs_at_s = self._sample / self.sample_rate_hz
            return
        self._events = count
        self._compared_sample = self._sample

    def _notice(self, text: str) -> Notice:
        return Notice(self._sample, self.sample_rate_hz, text)

    def _from_a_fresh_start(self) -> Iterator[Record | Notice]:
        numbers = self._numbers()
        self._dropped = bool(numbers) and numbers[0] > 0
        if self._dropped and not any(isinstance(r, Start) for r in self._records(numbers)):
            self._comparable = False
            yield self._notice(
                "the beginning of the session was overwritten, and there is no fresh start after it: the positions are "
                "those of an engine that begins here"
            )
            yield from self._records(numbers)
            return
        begun = not self._dropped
        for record in self._records(numbers):
            begun = begun or isinstance(record, Start)
            if begun:
                yield record

    def _numbers(self) -> list[int]:
        """Numbers of the slots that are there, without a hole, up to the newest."""
        session = bytes.fromhex(self.head.session)
        found = set()
        for place in range(1, self.head.slots + 1):
            data = self._read_at(place, SLOT_HEAD_BYTES)
            if len(data) < SLOT_HEAD_BYTES:
                break
            number = slot_number(data, session)
            if number is not None and number % self.head.slots == place - 1:
                found.add(number)
        if not found:
            return []
        oldest = newest = max(found)
        while oldest - 1 in found:
            oldest -= 1
        return list(range(oldest, newest + 1))

    def _records(self, numbers: list[int]) -> Iterator[Record | Notice]:
        """The records in these slots; a damaged one ends them, as the last one of a killed program may be."""
        session = bytes.fromhex(self.head.session)
        stream, begun = bytearray(), False
        try:
            for number in numbers:
                slot = Slot.decode(self._read_at(1 + number % self.head.slots, SLOT_BYTES), session)
                if slot is None or slot.number != number:
                    if number != numbers[-1]:
                        yield self._notice("the blackbox is damaged from here on")
                    return
                content = slot.content
                if not begun:
                    if slot.first_record is None:
                        continue
                    content, begun = content[slot.first_record :], True
                stream += content
                at = 0
                while (taken := take_record(stream, at)) is not None:
                    record, at = taken
                    yield record
                del stream[:at]
        except InputError as e:
            yield self._notice(f"the blackbox is damaged from here on: {e}")

    def _read_at(self, place: int, n_bytes: int) -> bytes:
        assert self._file is not None
        try:
            self._file.seek(place * SLOT_BYTES, os.SEEK_SET)
            return self._file.read(n_bytes)
        except OSError as e:
            raise InputError(f"cannot read the blackbox {self._path}: {e.strerror or e}") from e
