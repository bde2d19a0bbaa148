"""What the fields of messages and commands have in common: bounds, wire names, OSC types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

MAX_SECONDS: Final = 1e9

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_SECONDS)]
"""A time in a recording or of live audio (s)."""
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
"""Name of a cache, a session or a method."""
ClockSeconds: TypeAlias = Annotated[int, Meta(ge=-(10**15), le=10**15)] | Annotated[float, Meta(ge=-1e15, le=1e15)]
"""A reading of somebody's monotonic clock (s); a whole number stays one, so that an echo is what was sent."""

OscType: TypeAlias = Literal["i", "f", "s", "d"]


@dataclass(frozen=True, slots=True)
class Osc:
    """Marks a field that OSC carries: arguments have the order of the fields.

    Attributes:
        type: 32-bit integer, 32-bit float, string, or a time: 64 bits, or 32 for receivers without 64-bit numbers.
    """

    type: OscType


def wire_name(attribute: str) -> str:
    """Return a field's name on the wire: attributes carry the unit, the documented names do not.

    Example:
        >>> wire_name("orchestra_time_s"), wire_name("sample_rate_hz"), wire_name("latency_ms")
        ('orchestra_time', 'sample_rate', 'latency_ms')
    """
    return attribute.removesuffix("_s").removesuffix("_hz")
