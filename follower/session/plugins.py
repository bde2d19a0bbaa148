"""Sinks and sources are plug-ins: one file each, one line here. Nothing is imported before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from follower.errors import ConfigError, FollowerError

SINKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "alignments": "follower.files.alignments:AlignmentSink",
        "csv": "follower.files.csv_positions:CsvSink",
        "jsonl": "follower.files.jsonl:JsonlSink",
        "osc": "follower.osc.sink:OscSink",
        "websocket": "follower.websocket.sink:WebSocketSink",
    }
)
"""Classes that fulfil `follower.session.sink.Sink`; tests/session/test_sink_contract.py tries every one."""
SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file": "follower.files.source:FileSource",
        "microphone": "follower.audio.microphone:MicrophoneSource",
        "websocket": "follower.websocket.source:WebSocketSource",
    }
)
"""Classes that fulfil `follower.session.source.Source`; tests/session/test_source_contract.py tries every one."""


def load(where: str) -> Any:
    """Return the object at MODULE:NAME.

    Raises:
        ConfigError: it cannot be imported.
    """
    module, colon, name = where.partition(":")
    if not (module and colon and name):
        raise ConfigError(f"{where!r} is not MODULE:CLASS; give for example text_sink:TextSink")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise ConfigError(f"cannot load the plug-in {where} ({e}); is its folder in PYTHONPATH?") from e


def create(text: str) -> Any:
    """Return an object made from MODULE:CLASS or MODULE:CLASS=ARGUMENT, a plug-in from outside this package.

    Raises:
        ConfigError: it cannot be loaded or made.
    """
    where, equals, argument = text.partition("=")
    made = load(where)
    try:
        return made(argument) if equals else made()
    except FollowerError:
        raise
    except (TypeError, ValueError, OSError) as e:
        raise ConfigError(f"the plug-in {where} cannot be made ({e}); give its argument as {where}=ARGUMENT") from e
