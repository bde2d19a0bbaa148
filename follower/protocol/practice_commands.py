"""What a pianist asks of a session beside following: where to begin, loops, markers, tempo, tuning, recording."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from follower.protocol.fields import Name, Osc, Seconds
from follower.protocol.structs import RequestStruct

SLOWEST = 0.4
FASTEST = 2.5
"""Rates the orchestra can be played at, recording seconds per second."""
Rate: TypeAlias = Annotated[float, Meta(ge=SLOWEST, le=FASTEST)]


class Begin(RequestStruct, frozen=True, tag="begin"):
    """The pianist begins at this position (s of orchestra), after the count-in and the lead-in if they are set.

    Attributes:
        orchestra_time_s: position in the orchestra recording (s).
    """

    orchestra_time_s: Annotated[Seconds, Osc("d")]


class BeginAt(RequestStruct, frozen=True, tag="begin_at"):
    """The pianist begins at this marker, as with begin.

    Attributes:
        marker: name of the marker.
    """

    marker: Annotated[Name, Osc("s")]


class Again(RequestStruct, frozen=True, tag="again"):
    """Begin once more where the pianist last began."""


class Loop(RequestStruct, frozen=True, tag="loop"):
    """Begin at the first of these positions (s of orchestra) again whenever the second is reached.

    Attributes:
        begin_s: where the loop begins (s of the orchestra recording).
        end_s: where it ends; at least 1 s later.
    """

    begin_s: Annotated[Seconds, Osc("d")]
    end_s: Annotated[Seconds, Osc("d")]


class EndLoop(RequestStruct, frozen=True, tag="unloop"):
    """Play on beyond the end of the loop."""


class LeadIn(RequestStruct, frozen=True, tag="lead_in"):
    """Let the orchestra play so long (s) before every begin; 0 is not at all.

    Attributes:
        duration_s: seconds of the orchestra recording.
    """

    duration_s: Annotated[float, Meta(ge=0, le=60), Osc("f")]


class LeadInBars(RequestStruct, frozen=True, tag="lead_in_bars"):
    """Let the orchestra play so many bars before every begin, in the tempo of the clicks; 0 is not at all.

    Attributes:
        bars: how many.
        beats_per_bar: clicks to a bar.
    """

    bars: Annotated[int, Meta(ge=0, le=8), Osc("i")]
    beats_per_bar: Annotated[int, Meta(ge=1, le=12), Osc("i")] = 4


class CountIn(RequestStruct, frozen=True, tag="count_in"):
    """Let so many clicks be heard before every begin, and then the piano alone; 0 is none.

    Attributes:
        clicks: how many.
        beats_per_minute: how fast.
    """

    clicks: Annotated[int, Meta(ge=0, le=16), Osc("i")]
    beats_per_minute: Annotated[float, Meta(ge=20, le=300), Osc("f")] = 60.0


class Volume(RequestStruct, frozen=True, tag="volume"):
    """Play the orchestra so loud (dB; 0 is as recorded).

    Attributes:
        level_db: gain.
    """

    level_db: Annotated[float, Meta(ge=-60, le=12), Osc("f")]


class Tempo(RequestStruct, frozen=True, tag="tempo"):
    """Keep the orchestra between these rates (1 is the recording's tempo); both the same is a fixed tempo.

    Attributes:
        slowest: recording seconds per second, at least.
        fastest: recording seconds per second, at most; not below `slowest`.
    """

    slowest: Annotated[Rate, Osc("f")] = SLOWEST
    fastest: Annotated[Rate, Osc("f")] = FASTEST


class Tune(RequestStruct, frozen=True, tag="tune"):
    """Play the orchestra at the pitch of the live piano, or as it was recorded.

    Attributes:
        to: "piano" or "recording".
    """

    to: Annotated[Literal["piano", "recording"], Osc("s")]


class Record(RequestStruct, frozen=True, tag="record"):
    """Record piano and orchestra, two channels of a FLAC file beside the piece."""


class EndRecord(RequestStruct, frozen=True, tag="end_record"):
    """Complete the recording."""


class Mark(RequestStruct, frozen=True, tag="mark"):
    """Set a marker of this name at a position (s of orchestra), or where the orchestra stands; one of that name moves.

    Attributes:
        name: of the marker.
        orchestra_time_s: position in the orchestra recording (s); None where it stands now.
    """

    name: Annotated[Name, Osc("s")]
    orchestra_time_s: Annotated[Seconds | None, Osc("d")] = None


class Unmark(RequestStruct, frozen=True, tag="unmark"):
    """Remove the marker of this name.

    Attributes:
        name: of the marker.
    """

    name: Annotated[Name, Osc("s")]


PracticeCommand: TypeAlias = (
    Begin
    | BeginAt
    | Again
    | Loop
    | EndLoop
    | LeadIn
    | LeadInBars
    | CountIn
    | Volume
    | Tempo
    | Tune
    | Record
    | EndRecord
    | Mark
    | Unmark
)
"""What the session's partner carries out (`follower.session.partner`); by WebSocket, by OSC, and in Python."""
