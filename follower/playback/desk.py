"""What all outputs of a session share: what is asked of the orchestra, and the sound for a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from follower.events import Position, StateChange
from follower.playback.followed_player import SILENCE, FollowedPlayer
from follower.playback.recording import OrchestraRecording
from follower.playback.wishes import Prelude, Wishes
from follower.protocol.commands import PlaybackPosition
from follower.signal.tuning import Tuning, tuning_of

Tap = Callable[[float, NDArray[np.float32], int], None]
"""Called with a block's instant (monotonic s), its mono sound (n,) and its sample rate."""


class Desk:
    """The outputs of a session come and go, and are asked for the same. Thread-safe.

    Args:
        wishes: at the beginning.

    Attributes:
        recording_tuning: tuning of the orchestra recording; None until it is known.
    """

    def __init__(self, wishes: Wishes | None = None) -> None:
        self._lock = threading.Lock()
        self._wishes = Wishes() if wishes is None else wishes
        self._players: list[FollowedPlayer] = []
        self._streams: list[FollowedPlayer] = []
        self._tap: Tap | None = None
        self.recording_tuning: Tuning | None = None

    @property
    def wishes(self) -> Wishes:
        """What is asked for."""
        return self._wishes

    @property
    def sounds(self) -> bool:
        """Whether anybody plays the orchestra."""
        return bool(self._players)

    def attach(self, followed: FollowedPlayer, streamed: bool = False) -> None:
        """An output begins; a streamed one gets the follower's events from here, others from their own sink."""
        with self._lock:
            self._players.append(followed)
            if streamed:
                self._streams.append(followed)
            followed.player.wishes = self._wishes
            self._share_tap()

    def detach(self, followed: FollowedPlayer) -> None:
        """An output has ended."""
        with self._lock:
            self._players = [p for p in self._players if p is not followed]
            self._streams = [p for p in self._streams if p is not followed]
            followed.tap = None
            self._share_tap()

    def wish(self, **changes: float) -> None:
        """Ask for something else, by the names of `Wishes`."""
        with self._lock:
            self._wishes = replace(self._wishes, **changes)
            for followed in self._players:
                followed.player.wishes = self._wishes

    def play_prelude(self, prelude: Prelude) -> None:
        """Let something be heard before the pianist begins, on every output."""
        for followed in list(self._players):
            followed.on_event(prelude)

    @property
    def prelude(self) -> Prelude | None:
        """What sounds before the pianist begins; None when that is over, or nothing plays."""
        return next((found for p in list(self._players) if (found := p.player.prelude) is not None), None)

    @property
    def shift_cents(self) -> float:
        """By how much the orchestra sounds higher than recorded."""
        return next((p.player.shift_cents for p in list(self._players)), self._wishes.shift_cents)

    def take_recording(self, recording: OrchestraRecording) -> None:
        """Find out how the orchestra recording is tuned; takes a part of a second, any thread."""
        if self.recording_tuning is None:
            self.recording_tuning = tuning_of(recording.samples.mean(axis=0), recording.sample_rate_hz)

    def tap(self, tap: Tap | None) -> None:
        """Give the first output's sound to somebody who records it, or to nobody."""
        with self._lock:
            self._tap = tap
            self._share_tap()

    def _share_tap(self) -> None:
        for n, followed in enumerate(self._players):
            followed.tap = None if self._tap is None or n > 0 else _with_rate(self._tap, followed.player.sample_rate_hz)

    def on_event(self, event: Position | StateChange) -> None:
        """Pass the follower's event to the streamed outputs."""
        for followed in self._streams:
            followed.on_event(event)

    def streamed_sound(self, at_s: float | None) -> PlaybackPosition | None:
        """What a streamed output's loudspeaker plays at an instant; None where there is no such output."""
        streams = self._streams
        if not streams:
            return None
        return next((found for s in streams if (found := s.sounding(at_s)).rate > 0), SILENCE)


def _with_rate(tap: Tap, sample_rate_hz: int) -> Callable[[float, NDArray[np.float32]], None]:
    return lambda at_s, sound: tap(at_s, sound, sample_rate_hz)
