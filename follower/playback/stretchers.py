"""Which time stretchers there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from follower.errors import ConfigError
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import Stretcher

StretcherFactory = Callable[[OrchestraRecording], Stretcher]


def _vocoder(recording: OrchestraRecording) -> Stretcher:
    from follower.playback.vocoder import VocoderStretcher

    return VocoderStretcher(recording)


def _rubberband(recording: OrchestraRecording) -> Stretcher:
    from follower.playback.rubberband import RubberBandStretcher

    return RubberBandStretcher(recording)


STRETCHERS: Mapping[str, StretcherFactory] = {"vocoder": _vocoder, "rubberband": _rubberband}
"""Back ends by name. "vocoder" needs nothing; "rubberband" needs pylibrb (GPL, extra `rubberband`)."""


DEFAULT_STRETCHER = "vocoder"


def make_stretcher(name: str, recording: OrchestraRecording) -> Stretcher:
    """Return the stretcher called `name` on `recording`; call its `start` before pulling.

    Raises:
        ConfigError: no such stretcher.
        MissingDependencyError: the stretcher's library is not installed.
    """
    try:
        factory = STRETCHERS[name]
    except KeyError:
        raise ConfigError(f"no stretcher is called {name!r}; choose from {', '.join(STRETCHERS)}") from None
    return factory(recording)
