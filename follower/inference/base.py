"""The frontier protocol: where in the full mix is the piano now?  One file per frontier, chosen by method name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from follower.errors import ConfigError
from follower.inference.methods import METHODS
from follower.piece.piece import Piece


@dataclass(frozen=True, slots=True)
class Frame:
    """Causal features of one hop of the live piano (see `follower.signal.features.FeatureFrames`).

    Attributes:
        pitch: (88,) float32, amplitude per semitone.
        mfcc: (13,) float32.
        rms: amplitude of the newest window.
    """

    pitch: NDArray[np.float32]
    mfcc: NDArray[np.float32]
    rms: float


@dataclass(frozen=True, slots=True)
class Belief:
    """What a frontier knows at the end of a hop.

    Attributes:
        mix_s: most likely position in the full mix at the end of the hop (s); None before there is evidence.
        rate: mix seconds per live second.
        concentration: 0..1, share of the belief within half a second of `mix_s`.
        presence: 0..1, how surely the piano sounds in this hop.
        margin: how much better the newest moments of the piano fit the estimated position than the best one a second or
            more away, in nats; negative: they fit elsewhere better; 0 in silence (`follower.inference.rival_match`).
        rest_rate: mix seconds per live second expected while the piano rests; None where the frontier does not know.
        elsewhere: other positions (mix s) with their shares of the belief, the likeliest first; those worth a mention.
    """

    mix_s: float | None
    rate: float
    concentration: float
    presence: float
    margin: float = 0.0
    rest_rate: float | None = None
    elsewhere: tuple[tuple[float, float], ...] = ()


class Frontier(Protocol):
    """Follows the live piano through the full mix, hop by hop. Deterministic; bounded work and memory per hop."""

    def update(self, frame: Frame, estimate_s: float | None = None) -> Belief:
        """Take the next hop; the margin is that of `estimate_s` (mix s), or of the belief's own position."""

    def coast(self, hops: int) -> None:
        """So many hops of audio were lost: the belief moves on unheard."""

    def seek(self, mix_s: float) -> None:
        """Expect the piano to go on near this position of the mix (s)."""

    def reset(self) -> None:
        """Forget everything heard; the same as a fresh frontier."""


def create_frontier(method: str, piece: Piece) -> Frontier:
    """Make the frontier of that name for a prepared piece.

    Raises:
        ConfigError: there is no such method.
    """
    if method not in METHODS:
        raise ConfigError(f"unknown method {method!r}; choose one of: {', '.join(METHODS)}")
    frontier: Frontier = importlib.import_module(METHODS[method]).create(piece)
    return frontier
