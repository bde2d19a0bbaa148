"""What clients send, checked against the JSON schema that the package ships."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn

from follower.errors import ProtocolError
from follower.events import Control, Pause, PlaybackPosition, Resume, Seek, Start, Stop

SCHEMA = "schema.json"


class RefusedError(ProtocolError):
    """A client's message was refused.

    Args:
        code: one of the schema's error codes.
        message: what was wrong and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@cache
def schema() -> dict[str, Any]:
    """Return the protocol's JSON schema."""
    text = files("follower").joinpath("protocol", SCHEMA).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validators() -> dict[str, Any]:
    """One validator per client message type: errors then speak of that message, not of thirteen alternatives."""
    import jsonschema

    document = schema()
    definitions = document["$defs"]
    found = {}
    for reference in definitions["client"]["oneOf"]:
        name = reference["$ref"].rpartition("/")[2]
        kind = definitions[name]["properties"]["type"]["const"]
        found[kind] = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse(text: str) -> dict[str, Any]:
    """Return a client's message, checked.

    Raises:
        RefusedError: not JSON, not an object, unknown type, or outside the schema.

    Example:
        >>> parse('{"type": "seek", "orchestra_time": 12.5}')
        {'type': 'seek', 'orchestra_time': 12.5}
    """
    try:
        message = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise RefusedError("malformed", f"not JSON ({_short(str(e))}); send one JSON object per text frame") from None
    if not isinstance(message, dict):
        raise RefusedError("malformed", f"a JSON {type(message).__name__}; send an object with a type")
    kind = message.get("type")
    validator = _validators().get(kind) if isinstance(kind, str) else None
    if validator is None:
        known = ", ".join(_validators())
        raise RefusedError("invalid", f"unknown type {_short(repr(kind))}; send one of {known}")
    error = next(iter(validator.iter_errors(message)), None)
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path)
        raise RefusedError("invalid", f"{kind}{'.' + place if place else ''}: {_short(error.message)}")
    return message


def control_of(message: dict[str, Any]) -> Control | None:
    """Return the control a checked message asks for, or None when it is of another kind."""
    match message["type"]:
        case "start":
            return Start()
        case "stop":
            return Stop()
        case "pause":
            return Pause()
        case "resume":
            return Resume()
        case "seek":
            return Seek(float(message["orchestra_time"]))
        case "playback":
            return PlaybackPosition(float(message["orchestra_time"]), float(message.get("rate", 1.0)))
        case _:
            return None


def _short(text: str) -> str:
    """A client's own words come back cut: an error must not echo a megabyte."""
    return text if len(text) <= 160 else text[:157] + "..."
