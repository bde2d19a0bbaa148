"""Stand-ins for the engine and its input, so that the I/O tests need no prepared piece and no real time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from follower.errors import InputError
from follower.events import AudioBlock, Event, Gap, Notice, Position, Session, State
from follower.protocol.commands import Command, Pause, Resume, Seek, Start, Stop

RATE_HZ = 44100
BLOCK = 512
SESSION = Session("1.2.3", "tempo", RATE_HZ, 100.0, 110.0)


def position(seq: int, orchestra_time_s: float | None = None, state: State = State.FOLLOWING) -> Position:
    """A position that tells its seq in every field a test may look at."""
    place = float(seq) if orchestra_time_s is None else orchestra_time_s
    return Position(seq, (seq + 1) * BLOCK, RATE_HZ, place, place + 1.0, 1.0, 0.5, state, 1000.0 + seq, 2.5)


@dataclass
class FakeEngine:
    """One position per block that is not empty; commands are noted."""

    sample_rate_hz: int = RATE_HZ
    method: str = "tempo"
    piece: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(orchestra_duration_s=100.0, mix_duration_s=110.0)
    )
    commands: list[Command] = field(default_factory=list)
    resets: int = 0
    _seq: int = 0
    _at_s: float = 0.0
    _next_sample: int = 0
    _paused: bool = False
    _stopped: bool = False

    def process(self, block: AudioBlock) -> list[Event]:
        events: list[Event] = []
        if self._stopped:
            self._next_sample = block.first_sample + len(block.samples)
            return events
        if block.first_sample > self._next_sample > 0:
            events.append(Gap(block.first_sample, self.sample_rate_hz, block.first_sample - self._next_sample))
        self._next_sample = block.first_sample + len(block.samples)
        if len(block.samples) and not self._paused:
            self._at_s += len(block.samples) / self.sample_rate_hz
            events.append(
                Position(
                    self._seq,
                    self._next_sample,
                    self.sample_rate_hz,
                    self._at_s,
                    self._at_s + 1.0,
                    1.0,
                    0.9,
                    State.FOLLOWING,
                )
            )
            self._seq += 1
        return events

    def command(self, command: Command) -> list[Event]:
        self.commands.append(command)
        match command:
            case Seek(orchestra_time_s=at_s):
                if at_s > self.piece.orchestra_duration_s:
                    raise InputError(f"seek to {at_s:g} s is outside the orchestra recording")
                self._at_s = at_s
            case Pause():
                self._paused = True
            case Resume():
                self._paused = False
            case Start():
                self.reset()
            case Stop():
                self._stopped = True
                return [Notice(self._next_sample, self.sample_rate_hz, "stopped by a listener; start goes on")]
        return []

    def finish(self) -> list[Event]:
        return []

    def reset(self) -> None:
        self.resets += 1
        self._seq, self._at_s, self._next_sample, self._paused, self._stopped = 0, 0.0, 0, False, False


@dataclass
class ScriptedSource:
    """Yields what the test wrote down; callables among the items are called instead."""

    items: list[object]
    sample_rate_hz: int = RATE_HZ

    def __enter__(self) -> ScriptedSource:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def stop(self) -> None:
        self.items.clear()

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        for item in list(self.items):
            if callable(item):
                item()
            else:
                assert isinstance(item, AudioBlock | Notice)
                yield item


def audio(first_sample: int, n: int = BLOCK, capture_time_s: float = 0.0) -> AudioBlock:
    """A silent block."""
    return AudioBlock(first_sample, np.zeros(n, np.float32), capture_time_s)


@dataclass
class ListSink:
    """Keeps everything."""

    sessions: list[Session] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    dropped: int = 0

    def __enter__(self) -> ListSink:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, session: Session) -> None:
        self.sessions.append(session)

    def send(self, event: Event) -> None:
        self.events.append(event)
