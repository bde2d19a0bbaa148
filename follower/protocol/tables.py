"""The tables of docs/protocol.md that say what the Structs say; the document's test holds them against these."""

from __future__ import annotations

from follower.protocol.commands import OSC_REQUESTS
from follower.protocol.osc_arguments import OSC_MESSAGES, osc_address, osc_arguments
from follower.protocol.schema import first_sentence


def osc_messages() -> str:
    """Return the table of the OSC messages that are sent: address, types, arguments."""
    lines = ["| address | types | arguments |", "|---|---|---|"]
    for struct in OSC_MESSAGES:
        arguments = osc_arguments(struct)
        types, names = " ".join(a.type for a in arguments), ", ".join(a.name for a in arguments)
        lines.append(f"| `{osc_address(struct)}` | `{types}` | {names} |")
    return "\n".join(lines) + "\n"


def osc_commands() -> str:
    """Return the table of the OSC commands that are taken: address, arguments with their types, what they do."""
    lines = ["| address | arguments | does |", "|---|---|---|"]
    for struct in OSC_REQUESTS:
        arguments = [f"{a.name} `{a.type}`" if a.required else f"[{a.name} `{a.type}`]" for a in osc_arguments(struct)]
        does = first_sentence(struct)
        lines.append(f"| `{osc_address(struct)}` | {', '.join(arguments)} | {does[0].lower()}{does[1:-1]} |")
    return "\n".join(lines) + "\n"
