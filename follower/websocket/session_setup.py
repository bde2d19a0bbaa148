"""What the sessions of a server are made with: engines, admission, figures, blackboxes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from follower.piece.piece import Piece
from follower.session.engine_port import EnginePort
from follower.session.recorder import Recorder

if TYPE_CHECKING:
    from follower.websocket.metrics import Metrics


class Engines(Protocol):
    """Where sessions get their engines."""

    def engine(
        self, piece: Piece, sample_rate_hz: int, method: str, start_s: float | None = None
    ) -> AbstractContextManager[EnginePort]:
        """Make an engine for as long as the block lasts.

        Raises:
            FollowerError: it cannot be made.
        """
        ...


def _no_recorder(session: str, engine: EnginePort, start_s: float | None) -> AbstractContextManager[Recorder | None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class SessionSetup:
    """What the sessions of a server are made with.

    Attributes:
        engines: where they get their engines; None: each in its own thread.
        ready: waits until engines can be had; False when they cannot.
        refusal: asked before one is opened; says why not, or None.
        healthy: whether sessions can be followed.
        metrics: counts what happens; None for nothing.
        recorder: makes what keeps a session, given its name, engine and start, for as long as the block lasts.
    """

    engines: Engines | None = None
    ready: Callable[[], bool] = lambda: True
    refusal: Callable[[], str | None] = lambda: None
    healthy: Callable[[], bool] = lambda: True
    metrics: Metrics | None = None
    recorder: Callable[[str, EnginePort, float | None], AbstractContextManager[Recorder | None]] = _no_recorder
