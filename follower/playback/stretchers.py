"""Which time stretchers there are, by name. Listing them loads none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from follower.errors import ConfigError

if TYPE_CHECKING:
    from follower.playback.recording import OrchestraRecording
    from follower.playback.stretcher import Stretcher

StretcherFactory: TypeAlias = "Callable[[OrchestraRecording], Stretcher]"


def _vocoder(recording: OrchestraRecording) -> Stretcher:
    from follower.playback.vocoder import VocoderStretcher

    return VocoderStretcher(recording)


STRETCHERS: Mapping[str, StretcherFactory] = {"vocoder": _vocoder}
"""Factories by name; a line here adds another."""
DEFAULT_STRETCHER = "vocoder"


def make_stretcher(name: str, recording: OrchestraRecording) -> Stretcher:
    """Return the stretcher called `name` on `recording`; call its `start` before pulling.

    Raises:
        ConfigError: no such stretcher.
    """
    try:
        factory = STRETCHERS[name]
    except KeyError:
        raise ConfigError(f"no stretcher is called {name!r}; choose from {', '.join(STRETCHERS)}") from None
    return factory(recording)
