"""What the practice room's page receives beside events: the orchestra's sound, the library, a piece's looks."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from follower.protocol.fields import Name, Osc, Seconds, wire_name
from follower.protocol.structs import MessageStruct

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Cents: TypeAlias = Annotated[float, Meta(ge=-1200, le=1200)]


class _Entry(Struct, frozen=True, rename=wire_name):
    """Base of what stands in lists."""


class MarkerEntry(_Entry, frozen=True):
    """A marker.

    Attributes:
        name: of the marker.
        orchestra_time_s: position in the orchestra recording (s).
    """

    name: Name
    orchestra_time_s: Seconds


class MarkersMessage(MessageStruct, frozen=True, tag="markers"):
    """The markers of the session's piece: at the beginning of a session, and when they change.

    Attributes:
        markers: in the order of their positions.
    """

    markers: list[MarkerEntry]


class PracticeMessage(MessageStruct, frozen=True, tag="practice"):
    """How the session is practised: at its beginning, and when something of it changes.

    Attributes:
        start_s: where the pianist last began (s of orchestra); None where nothing was chosen.
        loop_begin_s: where the loop begins (s of orchestra); None without one.
        loop_end_s: where the loop ends (s of orchestra); None without one.
        volume_db: level of the orchestra.
        slowest: rate the orchestra does not fall below.
        fastest: rate the orchestra does not exceed.
        lead_in_s: orchestra before every begin (s).
        count_in: clicks before every begin.
        beats_per_minute: tempo of the clicks.
        tune_to: whose pitch the orchestra is played at.
        piano_cents: tuning of the live piano, cents above A = 440 Hz; None while unknown.
        piano_cents_error: standard error of it (cents); None while unknown.
        recording_cents: tuning of the orchestra recording; None while unknown.
        shift_cents: by how much the orchestra is played higher than recorded.
        sounding: what stands in front of the pianist's first note: nothing, "count_in" or "lead_in".
        recorded_s: length of the running recording (s); None without one.
        take: name of the recording that runs, or was completed last; "" for none.
        lead_in_bars: bars of orchestra before every begin, which `lead_in_s` is the length of; 0 where that was said.
        beats_per_bar: of these bars.
    """

    start_s: Annotated[Seconds | None, Osc("d")]
    loop_begin_s: Annotated[Seconds | None, Osc("d")]
    loop_end_s: Annotated[Seconds | None, Osc("d")]
    volume_db: Annotated[float, Osc("f")]
    slowest: Annotated[float, Osc("f")]
    fastest: Annotated[float, Osc("f")]
    lead_in_s: Annotated[Seconds, Osc("f")]
    count_in: Annotated[Count, Osc("i")]
    beats_per_minute: Annotated[float, Osc("f")]
    tune_to: Annotated[Literal["piano", "recording"], Osc("s")]
    piano_cents: Cents | None
    piano_cents_error: Annotated[float, Meta(ge=0)] | None
    recording_cents: Cents | None
    shift_cents: Annotated[Cents, Osc("f")]
    sounding: Literal["", "count_in", "lead_in"]
    recorded_s: Seconds | None
    take: str
    lead_in_bars: Count = 0
    beats_per_bar: Annotated[int, Meta(ge=1)] = 4


class SoundMessage(MessageStruct, frozen=True, tag="sound"):
    """The orchestra's sound begins: binary frames follow, laid out as docs/protocol.md says.

    Attributes:
        stream: number of the stream; frames of another one are old.
        sample_rate_hz: of the sound.
        channels: interleaved samples per frame.
        lead_ms: how long before it is heard the sound is sent at first.
    """

    stream: Count
    sample_rate_hz: Annotated[int, Meta(ge=1)]
    channels: Annotated[int, Meta(ge=1)]
    lead_ms: float


class QuietMessage(MessageStruct, frozen=True, tag="quiet"):
    """No more sound comes to this client.

    Attributes:
        reason: a short sentence for people.
    """

    reason: str


class PieceEntry(_Entry, frozen=True):
    """A piece of the library.

    Attributes:
        name: of the piece.
        orchestra_duration_s: length of the orchestra recording (s); None where the piece cannot be read.
        fit: how well the two recordings match, in one word; "" where the piece cannot be read.
        quality: mean confidence of the map between them, 0..1.
        cuts: how often the full recording has what the orchestra recording leaves out.
        prepared: when, as an ISO date.
        again: whether its recordings are there to prepare it again.
        problem: why it cannot be played; "" where it can.
    """

    name: str
    orchestra_duration_s: Seconds | None
    fit: str
    quality: float
    cuts: Count
    prepared: str
    again: bool
    problem: str


class JobEntry(_Entry, frozen=True):
    """A preparation.

    Attributes:
        piece: name of the piece.
        state: where it stands.
        stage: what is done now, in words.
        share: of the work done, 0..1.
        remaining_s: estimated time to go (s); None while unknown.
        message: why it failed, or what should be known; "" for nothing.
    """

    piece: str
    state: Literal["waiting", "running", "failed"]
    stage: str
    share: float
    remaining_s: Seconds | None
    message: str


class LibraryMessage(MessageStruct, frozen=True, tag="library"):
    """The pieces and the preparations.

    Attributes:
        pieces: in the order of their names.
        jobs: in the order in which they were asked for.
        files: names of recordings in the library's folder that can be prepared.
        formats: endings of the files that can be brought.
        max_bytes: longest file that can be brought.
    """

    pieces: list[PieceEntry]
    jobs: list[JobEntry]
    files: list[str]
    formats: list[str]
    max_bytes: Count


class UploadedMessage(MessageStruct, frozen=True, tag="uploaded"):
    """A recording has come as a whole and can be read.

    Attributes:
        file: name to call it by in `prepare`.
        duration_s: length of the recording (s).
    """

    file: str
    duration_s: Seconds


class FetchedMessage(MessageStruct, frozen=True, tag="fetched"):
    """The bytes asked for have been sent.

    Attributes:
        take: name of the recording.
        size_bytes: how many.
    """

    take: str
    size_bytes: Count


class TakeEntry(_Entry, frozen=True):
    """A recorded session.

    Attributes:
        name: of the file.
        duration_s: length (s).
        size_bytes: length of the file.
    """

    name: str
    duration_s: Seconds
    size_bytes: Count


class OverviewMessage(MessageStruct, frozen=True, tag="overview"):
    """What a piece looks like, on the time of the orchestra recording.

    Attributes:
        piece: name of the piece.
        orchestra_duration_s: length of the orchestra recording (s).
        step_s: time from one value to the next (s).
        orchestra: base64 of one byte per step: level of the orchestra recording, 0 silent to 255 its loudest.
        piano: base64 of one byte per step: how surely the piano plays, 0 to 255.
        confidence: base64 of one byte per step: confidence of the map, 0 to 255.
        cuts: positions at which the orchestra waits while the pianist plays what it leaves out, with their length in
            the full recording: pairs (s, s).
        markers: in the order of their positions.
        takes: recorded sessions, newest first.
    """

    piece: str
    orchestra_duration_s: Seconds
    step_s: Seconds
    orchestra: str
    piano: str
    confidence: str
    cuts: list[list[float]]
    markers: list[MarkerEntry]
    takes: list[TakeEntry]


RoomMessage: TypeAlias = (
    SoundMessage | QuietMessage | LibraryMessage | UploadedMessage | FetchedMessage | OverviewMessage
)
