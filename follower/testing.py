"""Stand-ins for tests of this project and of programs built on it.

`FakeEngine`, `ScriptedSource` and `ListSink` let a session run without a prepared piece, a sound card or a clock.
`make_piece` and `make_sound` belong together: the real engine follows the sound through the piece.

Example:
    >>> from follower.engine import Engine
    >>> engine = Engine(make_piece(8.0), SOUND_RATE_HZ)
    >>> events = engine.process(AudioBlock(0, make_sound(8.0)))
    >>> last = [e for e in events if isinstance(e, Position)][-1]
    >>> abs(last.orchestra_time_s - 8.0) < 0.2
    True
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import InputError
from follower.events import AudioBlock, Event, Gap, Notice, Position, Session, State
from follower.protocol.commands import Command, Pause, Resume, Seek, Start, Stop

if TYPE_CHECKING:
    from follower.config import PrepConfig
    from follower.piece.gmm import DiagonalGmm
    from follower.piece.mix_map import MixMap
    from follower.piece.piece import NotebookFeatures, Piece, PieceGmms, StreamFeatures

RATE_HZ: Final = 44100
"""Sampling rate of the fake engine, sources and blocks."""
BLOCK: Final = 512
"""Samples in a block of `audio`."""
SESSION: Final = Session("1.2.3", "tempo", RATE_HZ, 100.0, 110.0)
"""What a sink gets at the beginning of a session with a `FakeEngine`."""
SOUND_RATE_HZ: Final = 22050
"""Sampling rate of `make_sound`."""
NOTE_S: Final = 0.25
"""Time between the notes of `make_sound`."""


def position(seq: int, orchestra_time_s: float | None = None, state: State = State.FOLLOWING) -> Position:
    """A position whose fields show its number: it is at `seq` seconds of the orchestra unless given otherwise.

    >>> position(3).orchestra_time_s, position(3).audio_sample
    (3.0, 2048)
    """
    at_s = float(seq) if orchestra_time_s is None else orchestra_time_s
    return Position(seq, (seq + 1) * BLOCK, RATE_HZ, at_s, at_s + 1.0, 1.0, 0.5, state, 1000.0 + seq, 2.5)


def audio(first_sample: int, n: int = BLOCK, capture_time_s: float = 0.0) -> AudioBlock:
    """A silent block of `n` samples."""
    return AudioBlock(first_sample, np.zeros(n, np.float32), capture_time_s)


@dataclass(frozen=True)
class FakePiece:
    """Lengths of the two recordings (s), a name and a folder; all that a session asks of a prepared piece."""

    orchestra_duration_s: float = 100.0
    mix_duration_s: float = 110.0
    name: str = ""
    path: Path = Path("no-such-folder/piece")


@dataclass
class FakeEngine:
    """Has the engine's methods and moves on in real time: one position for every block that is not empty.

    Attributes:
        sample_rate_hz: rate of the stream.
        method: name of the frontier it pretends to use.
        piece: the piece it pretends to follow.
        commands: every command it was given, in order.
        resets: how often it was reset.

    Example:
        >>> engine = FakeEngine()
        >>> [event.orchestra_time_s for event in engine.process(audio(0, 44100))]
        [1.0]
        >>> engine.command(Seek(50.0))
        []
        >>> engine.commands
        [Seek(orchestra_time_s=50.0)]
    """

    sample_rate_hz: int = RATE_HZ
    method: str = "tempo"
    piece: Any = field(default_factory=FakePiece)
    commands: list[Command] = field(default_factory=list)
    resets: int = 0
    _seq: int = 0
    _at_s: float = 0.0
    _next_sample: int = 0
    _paused: bool = False
    _stopped: bool = False

    def process(self, block: AudioBlock) -> list[Event]:
        """Take a block: a gap before it is reported, and the position moves on by its length."""
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
        """Note a command and act on it as the engine does.

        Raises:
            InputError: a seek beyond the end of the orchestra recording.
        """
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
        """Nothing is left to say."""
        return []

    def reset(self) -> None:
        """Begin again; the commands stay noted."""
        self.resets += 1
        self._seq, self._at_s, self._next_sample, self._paused, self._stopped = 0, 0.0, 0, False, False


@dataclass
class ScriptedSource:
    """Yields the items it was given: blocks and notices; a callable among them is called instead.

    Example:
        >>> with ScriptedSource([audio(0), audio(512)]) as source:
        ...     [block.first_sample for block in source.blocks()]
        [0, 512]
    """

    items: list[object]
    sample_rate_hz: int = RATE_HZ

    def __enter__(self) -> ScriptedSource:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def stop(self) -> None:
        """Forget what was not yielded yet."""
        self.items.clear()

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield the items in order."""
        for item in list(self.items):
            if callable(item):
                item()
            else:
                assert isinstance(item, AudioBlock | Notice)
                yield item


@dataclass
class ListSink:
    """Keeps the sessions and events it was sent."""

    sessions: list[Session] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    dropped: int = 0

    def __enter__(self) -> ListSink:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, session: Session) -> None:
        """Keep the session."""
        self.sessions.append(session)

    def send(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)


def make_sound(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Notes of a made-up piece, four a second, each of the piano's middle register and dying away.

    Args:
        seconds: length.
        seed: another seed is another piece.

    Returns:
        (seconds * SOUND_RATE_HZ,) samples in -1..1. A shorter sound of the same seed is the beginning of a longer one.

    >>> bool(np.array_equal(make_sound(2.0), make_sound(3.0)[: 2 * SOUND_RATE_HZ]))
    True
    """
    n = round(seconds * SOUND_RATE_HZ)
    rng = np.random.default_rng(seed)
    out = np.zeros(n + 2 * SOUND_RATE_HZ)
    at_s = np.arange(2 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    for first in range(0, n, round(NOTE_S * SOUND_RATE_HZ)):
        hz = 440.0 * 2.0 ** ((rng.integers(48, 84) - 69) / 12)
        partials = sum(np.sin(2 * np.pi * hz * k * at_s) / k**2 for k in range(1, 5))
        out[first : first + len(at_s)] += 0.1 * partials * np.exp(-4.0 * at_s)
    return out[:n].astype(np.float32)


def make_piece(seconds: float = 20.0, seed: int = 0) -> Piece:
    """A prepared piece whose full mix is `make_sound(seconds, seed)`, with a piano in all of it.

    The orchestra recording lasts as long and belongs to the mix second by second. No file is read or written.
    """
    from follower.config import PrepConfig
    from follower.piece.mix_map import MixMap
    from follower.piece.piece import StreamFeatures
    from follower.signal.features import FeatureStream

    found = FeatureStream(PrepConfig().features, SOUND_RATE_HZ).extract(make_sound(seconds, seed))
    features = StreamFeatures(found.pitch, found.mfcc, found.rms)
    ends = [0.0, len(found) * PrepConfig().features.hop_s]
    return assemble_piece(MixMap(ends, ends, [1.0, 1.0]), mix=features, orchestra=features)


def assemble_piece(
    mix_map: MixMap,
    *,
    mix: StreamFeatures | None = None,
    orchestra: StreamFeatures | None = None,
    piano_activity: NDArray[np.float32] | None = None,
    gmm: PieceGmms | None = None,
    config: PrepConfig | None = None,
    sample_rate_hz: int = SOUND_RATE_HZ,
    path: Path = Path("piece"),
) -> Piece:
    """Return a piece without preparing recordings; what is not given is silence.

    Args:
        mix_map: map between the full mix and the orchestra recording; the recordings end where it ends.
        mix: features of the full mix.
        orchestra: features of the orchestra recording.
        piano_activity: shape (n,), 0..1, per frame of the mix; None: the piano plays throughout.
        gmm: mixtures; None: one component each, the orchestra's mean at 5, the piano's at -5.
        config: of the features; None is the default.
        sample_rate_hz: of the recordings' files.
        path: folder the piece says it is from.

    Example:
        >>> from follower.piece.mix_map import MixMap
        >>> piece = assemble_piece(MixMap([0.0, 5.0], [0.0, 10.0], [1.0, 1.0]))
        >>> piece.map.to_orchestra(4.0), piece.mix_duration_s, len(piece.mix.rms)
        (2.0, 10.0, 430)
    """
    from follower.config import PrepConfig
    from follower.piece.manifest import InputFile, Manifest
    from follower.piece.piece import Mix, Orchestra, Piece, PieceGmms

    config = config or PrepConfig()
    orchestra_s, mix_s = float(mix_map.orchestra_s[-1]), float(mix_map.mix_s[-1])
    mix = mix or _silence(mix_s, config)
    orchestra = orchestra or _silence(orchestra_s, config)
    if piano_activity is None:
        piano_activity = np.ones(len(mix.rms), np.float32)
    inputs = {
        "orchestra": InputFile("o.wav", "0" * 64, orchestra_s, sample_rate_hz),
        "mix": InputFile("po.wav", "1" * 64, mix_s, sample_rate_hz),
    }
    return Piece(
        path,
        Manifest("test", config, inputs, {"warnings": []}),
        Orchestra(orchestra.pitch, orchestra.rms, _notebook_silence(len(orchestra.rms))),
        Mix(mix.pitch, mix.mfcc, mix.rms, _notebook_silence(len(mix.rms))),
        mix_map,
        piano_activity,
        gmm or PieceGmms(flat_gmm(5.0, 100.0), flat_gmm(5.0, 100.0), flat_gmm(-5.0, 100.0)),
    )


def flat_gmm(mean: float = 0.0, variance: float = 1.0) -> DiagonalGmm:
    """A mixture of one component on MFCC 1..12 with the same mean and variance in every dimension."""
    from follower.piece.gmm import DiagonalGmm

    return DiagonalGmm([1.0], np.full((1, 12), mean), np.full((1, 12), variance))


def _silence(seconds: float, config: PrepConfig) -> StreamFeatures:
    from follower.piece.piece import StreamFeatures

    n, features = int(seconds / config.features.hop_s), config.features
    return StreamFeatures(
        np.zeros((n, features.n_semitones), np.float32),
        np.zeros((n, features.n_mfcc), np.float32),
        np.zeros(n, np.float32),
    )


def _notebook_silence(n: int) -> NotebookFeatures:
    from follower.piece.piece import NotebookFeatures

    return NotebookFeatures(np.zeros((12, n), np.float32), np.zeros((20, n), np.float32))
