"""The engine: audio block in, list of events out. No clock, thread, file, socket or print."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from follower.errors import InputError
from follower.events import AudioBlock, Event, Gap, Notice, Position
from follower.inference.base import Frame, create_frontier
from follower.inference.methods import DEFAULT_METHOD
from follower.piece.bounds import require_in_orchestra
from follower.piece.piece import Piece
from follower.protocol.codec import require_in_bounds
from follower.protocol.commands import Command, Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.signal.bleed import BleedCanceller
from follower.signal.features import FeatureFrames, FeatureStream
from follower.signal.framing import Framer
from follower.signal.loudspeakers import Loudspeakers
from follower.tracking.tracker import Tracker

RESAMPLED_BLOCK_SAMPLES = 64
"""Audio goes to the resampler in blocks of this size, so that when a frame is complete does not depend on chunking."""
MAX_COAST_S = 10.0
"""The belief moves on unheard for at most so long; after a longer gap the place is as good as unknown anyway. It may do
so again when as much has been heard: coasting costs work, and must not cost more than the audio that comes with it."""


class Engine:
    """Follow one live stream through one prepared piece.

    Args:
        piece: from `follower.piece.reading.load_piece`; its configuration is the engine's.
        sample_rate_hz: rate of the live stream.
        method: name of the frontier, see `follower.inference.methods.METHODS`.
        start_s: where in the orchestra recording the pianist will begin (s); None when unknown.

    Raises:
        InputError: `start_s` is outside the orchestra recording.
        ConfigError: unknown method, or a rate that cannot be resampled.

    Example:
        >>> engine = Engine(load_piece("mypiece"), 44100)                                # doctest: +SKIP
        >>> events = engine.process(AudioBlock(0, np.zeros(512, np.float32)))          # doctest: +SKIP
    """

    def __init__(
        self, piece: Piece, sample_rate_hz: int, method: str = DEFAULT_METHOD, start_s: float | None = None
    ) -> None:
        if start_s is not None:
            require_in_orchestra("start", start_s, piece.orchestra_duration_s)
        self.piece = piece
        self.method = method
        self.sample_rate_hz = sample_rate_hz
        self.start_s = start_s
        self._hop_s = piece.feature_config.hop_s
        self._max_coast_hops = round(MAX_COAST_S / self._hop_s)
        config = piece.feature_config
        resampled = sample_rate_hz != config.sample_rate_hz
        block_samples = RESAMPLED_BLOCK_SAMPLES if resampled else config.hop_samples
        self._framer = Framer(block_samples, block_samples)
        self._features = FeatureStream(config, sample_rate_hz)
        self._loudspeakers = Loudspeakers(sample_rate_hz)
        self._bleed = BleedCanceller(piece.orchestra.pitch, self._hop_s)
        self._frontier = create_frontier(method, piece)
        self._tracker = Tracker(piece, sample_rate_hz)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the same as a fresh engine."""
        self._framer.reset()
        self._features.reset()
        self._loudspeakers.reset()
        self._bleed.reset()
        self._frontier.reset()
        self._tracker.reset()
        self._next_sample = 0
        self._framed_sample = 0
        self._first_sample: int | None = None
        self._lost_samples = 0
        self._coasted_hops = 0
        self._may_coast_hops = self._max_coast_hops
        self._heard_hops = 0
        self._suspended = False
        self._stopped = False
        if self.start_s is not None:
            mix_s = self.piece.map.to_mix(self.start_s)
            self._frontier.seek(mix_s)
            self._tracker.move_to(mix_s)

    def process(self, block: AudioBlock) -> list[Event]:
        """Take the next block; return what became known, in order.

        Raises:
            InputError: the block starts before the end of the one before it, or is not mono float32 of finite numbers;
                nothing has changed then, and its samples count as lost when the next block comes.
        """
        _check_samples(block.samples)
        if self._stopped:
            self._next_sample = block.first_sample + len(block.samples)
            return []
        if block.first_sample < self._next_sample:
            raise InputError(
                f"the block starts at sample {block.first_sample}, but {self._next_sample} samples were already taken; "
                "blocks must come in order"
            )
        events: list[Event] = []
        lost = block.first_sample - self._next_sample
        if self._first_sample is None:
            self._first_sample = block.first_sample
        elif lost:
            events.append(Gap(block.first_sample, self.sample_rate_hz, lost))
            self._coast(lost)
        self._framed_sample += lost
        self._next_sample = block.first_sample + len(block.samples)
        for audio in self._framer.process(block.samples):
            self._framed_sample += len(audio)
            events.extend(self._take(self._features.extract(audio)))
        return events

    def _coast(self, lost_samples: int) -> None:
        """Let the belief move on over audio that never arrived."""
        self._lost_samples += lost_samples
        hops = int(self._lost_samples / self.sample_rate_hz / self._hop_s) - self._coasted_hops
        self._coasted_hops += hops
        unheard = min(hops, self._may_coast_hops)
        if unheard > 0 and not self._suspended:
            self._may_coast_hops -= unheard
            self._frontier.coast(unheard)

    def _take(self, frames: FeatureFrames) -> list[Event]:
        events: list[Event] = []
        for pitch, mfcc, rms in zip(frames.pitch, frames.mfcc, frames.rms, strict=True):
            self._heard_hops += 1
            self._may_coast_hops = min(self._may_coast_hops + 1, self._max_coast_hops)
            if self._suspended:
                events.extend(self._tracker.idle(self._framed_sample))
                continue
            heard_s = self._heard_hops * self._hop_s
            arrived = self._framed_sample - (self._first_sample or 0) - self._lost_samples
            behind_s = arrived / self.sample_rate_hz - heard_s
            played_s = self._loudspeakers.position_s(self._framed_sample - behind_s * self.sample_rate_hz)
            frame = Frame(self._bleed.process(pitch, played_s), mfcc, float(rms))
            belief = self._frontier.update(frame, self._tracker.mix_s)
            tracked = self._tracker.update(belief, self._framed_sample, behind_s)
            for event in tracked:
                if isinstance(event, Position):
                    self._loudspeakers.on_position(event)
            events.extend(tracked)
        return events

    def command(self, command: Command) -> list[Event]:
        """Carry out a command; return what it causes at once. What follows from it in the music comes with the audio.

        Raises:
            InputError: a place outside the orchestra recording, or a number outside the bounds of the protocol.
        """
        match command:
            case Start():
                self.reset()
            case Stop():
                self._stopped = True
                return [Notice(self._next_sample, self.sample_rate_hz, "stopped by a listener; start goes on")]
            case Seek(orchestra_time_s=at_s):
                require_in_orchestra("seek to", at_s, self.piece.orchestra_duration_s)
                mix_s = self.piece.map.to_mix(at_s)
                self._frontier.seek(mix_s)
                self._tracker.move_to(mix_s)
            case Pause():
                self._suspended = True
            case Resume() if self._suspended:
                self._suspended = False
                if self._tracker.mix_s is not None:
                    self._frontier.seek(self._tracker.mix_s)
            case Resume():
                pass
            case PlaybackPosition():
                require_in_bounds(command)
                self._loudspeakers.report(command, self._next_sample)
            case _:
                assert_never(command)
        return []

    def finish(self) -> list[Event]:
        """End of the stream: return the last events. Only `reset` makes sense afterwards."""
        return [*self._take(self._features.finish()), *self._tracker.finish(self._framed_sample)]


def _check_samples(samples: NDArray[np.float32]) -> None:
    """Refuse a block that is not mono float32 of finite numbers."""
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise InputError(
            f"the block has shape {samples.shape} of {samples.dtype}; give mono float32, full scale 1: "
            "the mean of the channels, integers divided by their full scale"
        )
    if not np.isfinite(samples).all():
        raise InputError("the block has samples that are not numbers; leave it out, and it counts as lost")
