"""OSC's side of the vocabulary: addresses, and arguments whose order and types are those of the Structs' fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec

from follower.errors import ProtocolError
from follower.protocol.codec import kind_of
from follower.protocol.commands import OSC_REQUESTS, OscRequest, Request
from follower.protocol.fields import Osc, OscType
from follower.protocol.messages import EVENT_MESSAGES, EventMessage, Message

UNKNOWN: Final = -1.0
"""Sent for a number that is not known: every time is 0 or more, and receivers handle NaN badly."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One OSC argument of a message or command.

    Attributes:
        name: name of the field on the wire (as in JSON).
        attribute: name of the Struct's attribute.
        type: OSC type tag; `d` stands for a time.
        required: whether a command must have it.
    """

    name: str
    attribute: str
    type: OscType
    required: bool


@cache
def osc_address(struct: type[Message] | type[Request]) -> str:
    """Return the OSC address of a message or command.

    Example:
        >>> from follower.protocol.commands import Seek
        >>> osc_address(Seek)
        '/follower/seek'
    """
    return f"/follower/{kind_of(struct)}"


@cache
def osc_arguments(struct: type[Message] | type[Request]) -> tuple[Argument, ...]:
    """Return the arguments of a message or command: its fields marked with `Osc`, in their order.

    Example:
        >>> from follower.protocol.commands import PlaybackPosition
        >>> [(a.name, a.type, a.required) for a in osc_arguments(PlaybackPosition)]
        [('orchestra_time', 'd', True), ('rate', 'f', False)]
    """
    hints = get_type_hints(struct, include_extras=True)
    found = []
    for field in msgspec.structs.fields(struct):
        for mark in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(mark, Osc):
                found.append(Argument(field.encode_name, field.name, mark.type, field.required))
    return tuple(found)


def osc_values(message: EventMessage) -> list[tuple[Any, OscType]]:
    """Return a message's OSC arguments, each with its type; unknown numbers are `UNKNOWN`.

    Example:
        >>> from follower.protocol.messages import JumpMessage
        >>> osc_values(JumpMessage(1.0, 44.1, 12.7))
        [(44.1, 'd'), (12.7, 'd')]
    """
    return [(_sent(getattr(message, a.attribute)), a.type) for a in osc_arguments(type(message))]


def _sent(value: Any) -> Any:
    if value is None:
        return UNKNOWN
    return "" if value is msgspec.UNSET else value


OSC_MESSAGES = tuple(struct for struct in EVENT_MESSAGES if osc_arguments(struct))
"""Messages that OSC carries: those with arguments."""
REQUEST_AT = {osc_address(struct): struct for struct in OSC_REQUESTS}


def decode_osc(address: str, values: Sequence[Any]) -> OscRequest:
    """Return what an OSC message asks for; arguments beyond those it has are ignored.

    Raises:
        ProtocolError: unknown address, or arguments that do not fit.

    Example:
        >>> decode_osc("/follower/seek", [12.5])
        Seek(orchestra_time_s=12.5)
    """
    struct = REQUEST_AT.get(address)
    if struct is None:
        raise ProtocolError(f"unknown OSC address {address!r:.60}; see docs/protocol.md")
    arguments = osc_arguments(struct)
    content = {a.name: value for a, value in zip(arguments, values, strict=False)}
    try:
        return msgspec.convert(content, struct)
    except msgspec.ValidationError as e:
        for n, a in enumerate(arguments):
            value = content.get(a.name)
            if f"`{a.name}`" in str(e) or str(e).endswith(f"`$.{a.name}`"):
                what = str(e).partition(" - at ")[0]
                raise ProtocolError(f"argument {n + 1} is {value!r:.40}: {what}") from None
        raise ProtocolError(f"{address}: {e}") from None
