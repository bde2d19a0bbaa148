"""Sinks and sources are plug-ins: one file each, one line here. Nothing is imported before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from follower.errors import ConfigError, FollowerError

SINKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "alignments": "follower.sinks.alignments:AlignmentSink",
        "csv": "follower.sinks.csv_positions:CsvSink",
        "jsonl": "follower.sinks.jsonl:JsonlSink",
        "osc": "follower.sinks.osc:OscSink",
        "websocket": "follower.sinks.websocket:WebSocketSink",
    }
)
"""Classes that fulfil `follower.sinks.base.Sink`; tests/test_sink_contract.py tries every one."""
SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file": "follower.sources.file:FileSource",
        "microphone": "follower.sources.microphone:MicrophoneSource",
        "websocket": "follower.sources.websocket:WebSocketSource",
    }
)
"""Classes that fulfil `follower.sources.base.Source`; tests/test_source_contract.py tries every one."""


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
