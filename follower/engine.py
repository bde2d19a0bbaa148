"""The engine: audio block in, list of events out. No clock, thread, file, socket or print."""

from __future__ import annotations

import math

from follower.cache import Cache
from follower.errors import InputError
from follower.events import AudioBlock, Command, Event, Gap, Pause, PlaybackPosition, Resume, Seek
from follower.features import FeatureStream, Framer
from follower.frontier.base import DEFAULT_METHOD, Frame, create_frontier
from follower.tracker import Tracker

INPUT_BLOCK_SAMPLES = 64
"""Audio goes to the resampler in blocks of this size, so that when a frame is complete does not depend on chunking."""


class Engine:
    """Follow one live stream through one prepared piece.

    Args:
        cache: from `follower.cache.load_cache`; its configuration is the engine's.
        sample_rate_hz: rate of the live stream.
        method: name of the frontier, see `follower.frontier.base.METHODS`.
        start_s: where in the orchestra recording the pianist will begin (s); None when unknown.

    Raises:
        InputError: `start_s` is outside the orchestra recording.
        ConfigError: unknown method, or a rate that cannot be resampled.

    Example:
        >>> engine = Engine(load_cache("cache"), 44100)                                # doctest: +SKIP
        >>> events = engine.process(AudioBlock(0, np.zeros(512, np.float32)))          # doctest: +SKIP
    """

    def __init__(
        self, cache: Cache, sample_rate_hz: int, method: str = DEFAULT_METHOD, start_s: float | None = None
    ) -> None:
        if start_s is not None and not 0 <= start_s <= cache.orchestra_duration_s:
            raise InputError(
                f"start is {start_s:g} s, outside the orchestra recording (0..{cache.orchestra_duration_s:.1f} s)"
            )
        self.cache = cache
        self.method = method
        self.sample_rate_hz = sample_rate_hz
        self._start_s = start_s
        self._framer = Framer(INPUT_BLOCK_SAMPLES, INPUT_BLOCK_SAMPLES)
        self._features = FeatureStream(cache.feature_config, sample_rate_hz)
        self._frontier = create_frontier(method, cache)
        self._tracker = Tracker(cache, sample_rate_hz)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the same as a fresh engine."""
        self._framer.reset()
        self._features.reset()
        self._frontier.reset()
        self._tracker.reset()
        self._next_sample = 0
        self._framed_sample = 0
        self._suspended = False
        if self._start_s is not None:
            self._frontier.seek(self.cache.mix_map.to_mix(self._start_s))

    def process(self, block: AudioBlock) -> list[Event]:
        """Take the next block; return what became known, in order.

        Raises:
            InputError: the block starts before the end of the one before it.
        """
        if block.first_sample < self._next_sample:
            raise InputError(
                f"the block starts at sample {block.first_sample}, but {self._next_sample} samples were already taken; "
                "blocks must come in order"
            )
        events: list[Event] = []
        lost = block.first_sample - self._next_sample
        if lost and self._next_sample:
            events.append(Gap(block.first_sample, self.sample_rate_hz, lost))
        self._framed_sample += lost
        self._next_sample = block.first_sample + len(block.samples)
        for audio in self._framer.push(block.samples):
            self._framed_sample += len(audio)
            frames = self._features.push(audio)
            for pitch, mfcc, rms in zip(frames.pitch, frames.mfcc, frames.rms, strict=True):
                if self._suspended:
                    continue
                belief = self._frontier.push(Frame(pitch, mfcc, float(rms)))
                events.extend(self._tracker.push(belief, self._framed_sample))
        return events

    def command(self, command: Command) -> list[Event]:
        """Carry out a command.

        Raises:
            InputError: a place outside the orchestra recording.
        """
        match command:
            case Seek(orchestra_time_s=at_s):
                if not (math.isfinite(at_s) and 0 <= at_s <= self.cache.orchestra_duration_s):
                    raise InputError(
                        f"seek to {at_s:g} s is outside the orchestra recording "
                        f"(0..{self.cache.orchestra_duration_s:.1f} s)"
                    )
                self._frontier.seek(self.cache.mix_map.to_mix(at_s))
            case Pause():
                self._suspended = True
            case Resume():
                self._suspended = False
            case PlaybackPosition():
                pass
        return []

    def finish(self) -> list[Event]:
        """End of the stream: return the last events."""
        return self._tracker.finish(self._framed_sample)
