"""What a system from outside is: two methods, `prepare` and `follow`. examples/chroma_system.py is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from follower.files.source import FileSource


@dataclass(frozen=True)
class Recordings:
    """What is there before anybody plays: wav, flac, ogg, mp3 or m4a, of any rate and number of channels.

    Attributes:
        orchestra: orchestra-only recording; positions are wanted in it.
        mix: recording of piano and orchestra.
        mix_piano: piano separated from the mix; None where the scenario has no stems, or they are not to be used.
        mix_orchestra: orchestra separated from the mix, likewise.
    """

    orchestra: Path
    mix: Path
    mix_piano: Path | None
    mix_orchestra: Path | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where the pianist is in the orchestra recording.

    Attributes:
        orchestra_s: position in the orchestra recording (s), of the instant `audio_time_s`.
        rate: orchestra seconds per live second from there on, until the next estimate.
        confidence: 0..1, the probability of being within 200 ms; None where the system has none.
        state: one of `follower.events.State`'s values; "" where the system has none.
        audio_time_s: seconds of the piano to which the estimate belongs; None is all that was taken so far, as a live
            system has it. An earlier instant is hindsight, and is reported as such.
    """

    orchestra_s: float
    rate: float = 1.0
    confidence: float | None = None
    state: str = ""
    audio_time_s: float | None = None


class Piano:
    """The solo piano, taken as it would arrive. Whoever needs all of it takes `rest`, and is known to have heard it.

    Args:
        source: open.
        start_s: where in the orchestra recording the pianist begins (s); None when that is not known.
    """

    def __init__(self, source: FileSource, start_s: float | None) -> None:
        self._source = source
        self._blocks = source.blocks()
        self.sample_rate_hz = source.sample_rate_hz
        self.duration_s = source.duration_s
        self.start_s = start_s

    @property
    def heard_s(self) -> float:
        """Seconds of the piano that were taken so far."""
        return self._source.heard_s

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield what was not taken yet: mono, float32, at `sample_rate_hz`, 512 samples or fewer at a time."""
        return (block.samples for block in self._blocks)

    def rest(self) -> NDArray[np.float32]:
        """Return all that was not taken yet: mono, float32, shape (n,)."""
        return np.concatenate([np.zeros(0, np.float32), *self.blocks()])


class EvaluatedSystem(Protocol):
    """A system to be measured. It is made anew for every scenario."""

    def prepare(self, recordings: Recordings) -> None:
        """Read the two recordings; called once, first. Its time is not counted."""
        ...

    def follow(self, piano: Piano) -> Iterable[Estimate]:
        """Take the piano and say where it is, as often as the system likes; usually a generator.

        Raises:
            AlignmentError: no alignment exists; every beat then counts as an infinite error.
        """
        ...
