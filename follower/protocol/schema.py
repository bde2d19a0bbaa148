"""The JSON schema of all messages and requests, generated from their Structs; committed, and served at /protocol.json.

`python -m follower.protocol.schema` writes the committed file anew.
"""

from __future__ import annotations

import inspect
import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from follower.protocol.commands import REQUESTS, Request
from follower.protocol.messages import MESSAGES, PROTOCOL_VERSION, HelloMessage, Message

COMMITTED: Final = Path(__file__).with_name("schema.json")
WITH_A_SESSION: Final = ["method", "sample_rate", "orchestra_duration", "mix_duration"]
"""What a hello must say of the session it names."""


def first_sentence(struct: type[Message] | type[Request]) -> str:
    """Return what a Struct's docstring says before its details, in one line.

    Example:
        >>> from follower.protocol.commands import Pause
        >>> first_sentence(Pause)
        'Hold the position, ignore the audio.'
    """
    return " ".join((struct.__doc__ or "").partition("\n\n")[0].split())


def attribute_lines(struct: type[Message] | type[Request]) -> dict[str, str]:
    """Return what a Struct's docstring says of each attribute."""
    text = textwrap.dedent((struct.__doc__ or "").partition("Attributes:\n")[2])
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(" "):
            found[name] += " " + line.strip()
        elif line:
            name, _, found[name] = line.partition(": ")
    return found


@cache
def schema() -> dict[str, Any]:
    """Return the protocol's JSON schema: `#/$defs/client` may be sent by a client, `#/$defs/server` is received."""
    _, definitions = msgspec.json.schema_components([*REQUESTS, *MESSAGES], ref_template="#/$defs/{name}")
    for nested in definitions.values():  # since Python 3.13 docstrings are indented no more
        if "description" in nested:
            nested["description"] = inspect.cleandoc(nested["description"])
    for struct in (*REQUESTS, *MESSAGES):
        definition = definitions[struct.__name__]
        definition["description"] = first_sentence(struct)
        lines = attribute_lines(struct)
        for field in msgspec.structs.fields(struct):
            definition["properties"][field.encode_name]["description"] = lines[field.name]
    definitions[HelloMessage.__name__]["dependentRequired"] = {"session": WITH_A_SESSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Concerto Follower WebSocket protocol, version {PROTOCOL_VERSION}",
        "description": "Every text frame is one JSON object. '#/$defs/client' lists what a client may send, "
        "'#/$defs/server' what it receives. Times are seconds. Clients must ignore properties and message types they "
        "do not know; the server refuses them.",
        "oneOf": [{"$ref": "#/$defs/client"}, {"$ref": "#/$defs/server"}],
        "$defs": {
            "client": {"oneOf": [{"$ref": f"#/$defs/{struct.__name__}"} for struct in REQUESTS]},
            "server": {"oneOf": [{"$ref": f"#/$defs/{struct.__name__}"} for struct in MESSAGES]},
            **definitions,
        },
    }


def schema_text() -> str:
    """Return the schema as it is committed and served."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(schema_text(), encoding="utf-8")
