"""The messages and requests as TypeScript types, for the checks of the page's scripts; generated from the schema.

`python -m follower.protocol.typescript` writes the committed file anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from follower.protocol.schema import schema

TYPES: Final = Path(__file__).parents[1] / "websocket" / "web" / "protocol.d.ts"


def _type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    if "anyOf" in part:
        return " | ".join(dict.fromkeys(_type(p) for p in part["anyOf"]))
    if "enum" in part:
        return " | ".join(json.dumps(value) for value in part["enum"])
    if "const" in part:
        return json.dumps(part["const"])
    match part.get("type"):
        case "array":
            inner = _type(part["items"])
            return f"({inner})[]" if " " in inner else f"{inner}[]"
        case "integer" | "number":
            return "number"
        case "string" | "boolean" | "null" as name:
            return str(name)
    raise AssertionError(part)


def typescript_text() -> str:
    """Return the types as they are committed."""
    definitions = dict(schema()["$defs"])
    unions = {side: definitions.pop(side) for side in ("client", "server")}
    lines = ["// Generated from follower/protocol by `python -m follower.protocol.typescript`.", ""]
    for name, definition in sorted(definitions.items()):
        if "properties" not in definition:
            lines += [f"export type {name} = {_type(definition)};", ""]
            continue
        lines.append(f"export interface {name} {{")
        for field, part in definition["properties"].items():
            optional = "" if field in definition.get("required", ()) else "?"
            lines.append(f"  {field}{optional}: {_type(part)};")
        lines += ["}", ""]
    for name, side in (("Request", "client"), ("Message", "server")):
        lines.append(f"export type {name} = {' | '.join(_type(p) for p in unions[side]['oneOf'])};")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TYPES.write_text(typescript_text(), encoding="utf-8")
