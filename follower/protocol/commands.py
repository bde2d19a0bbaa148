"""What clients may send. A new command is one Struct here, its name in the union below, and one handler.

The first sentence of a docstring is the command's line in the JSON schema and in the tables of docs/protocol.md.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import UNSET, Meta, UnsetType

from follower.protocol.fields import ClockSeconds, Name, Osc, Seconds
from follower.protocol.practice_commands import PracticeCommand
from follower.protocol.room_requests import RoomRequest
from follower.protocol.structs import RequestStruct


class AskHello(RequestStruct, frozen=True, tag="hello"):
    """Send the hello again."""


class Ping(RequestStruct, frozen=True, tag="ping"):
    """Measure the offset of the server's clock; answered by `pong`.

    Attributes:
        client_time_s: any clock of the client's; comes back as it was sent.
    """

    client_time_s: ClockSeconds


class AskList(RequestStruct, frozen=True, tag="list"):
    """Ask for the caches and sessions; answered by `list`."""


class Watch(RequestStruct, frozen=True, tag="watch"):
    """Receive the events of this session (instead of another one); answered by `hello`.

    Attributes:
        session: name of the session.
    """

    session: Name


class OpenAudio(RequestStruct, frozen=True, tag="audio"):
    """Open an audio session: the binary frames that follow are the piano. Answered by `hello` with the session's name.

    Attributes:
        sample_rate_hz: of the frames.
        format: 32-bit float or 16-bit integer, little endian.
        channels: interleaved in the frames.
        cache: name of the prepared piece; may be left out where the server has only one.
        method: name of the tracking method; the server's default when left out.
        start_s: where the pianist begins (s of the orchestra recording), if known.
        resume: name of a session whose connection broke: go on with it, with the same audio; the rest is ignored.
    """

    sample_rate_hz: Annotated[int, Meta(ge=8000, le=192_000)]
    format: Literal["f32le", "s16le"]
    channels: Annotated[int, Meta(ge=1, le=8)] = 1
    cache: Name | UnsetType = UNSET
    method: Name | UnsetType = UNSET
    start_s: Seconds | None = None
    resume: Name | UnsetType = UNSET


class ReportGap(RequestStruct, frozen=True, tag="gap"):
    """Samples (per channel) were lost between the binary frames before and after this message.

    Attributes:
        lost_samples: how many.
    """

    lost_samples: Annotated[int, Meta(ge=1, le=10**9)]


class Captured(RequestStruct, frozen=True, tag="captured"):
    """When samples of the binary frames were captured: without it, their arrival counts. Sent now and then.

    Attributes:
        sample: how many samples (per channel) were sent or reported lost before this instant.
        at_s: the server's clock (by `ping`) when the last of them was captured (s).
    """

    sample: Annotated[int, Meta(ge=0, le=2**53)]
    at_s: ClockSeconds


class EndAudio(RequestStruct, frozen=True, tag="end"):
    """The audio is over; answered by `ended`."""


class Start(RequestStruct, frozen=True, tag="start"):
    """Follow from a fresh start: forget what was played; `seq` begins at 0 again, a new hello is sent."""


class Stop(RequestStruct, frozen=True, tag="stop"):
    """Stop following until start; audio is thrown away, the session stays open."""


class Pause(RequestStruct, frozen=True, tag="pause"):
    """Hold the position, ignore the audio."""


class Resume(RequestStruct, frozen=True, tag="resume"):
    """Follow again after pause."""


class Seek(RequestStruct, frozen=True, tag="seek"):
    """The pianist goes on at this position (s of orchestra).

    Attributes:
        orchestra_time_s: position in the orchestra recording (s).
    """

    orchestra_time_s: Annotated[Seconds, Osc("d")]


class PlaybackPosition(RequestStruct, frozen=True, tag="playback"):
    """What the loudspeakers play now: position (s of orchestra) and rate; repeat it at least every 2 s; rate 0: silent.

    Their sound in the microphone is then not taken for the piano.

    Attributes:
        orchestra_time_s: position in the orchestra recording (s).
        rate: orchestra seconds per second.
    """

    orchestra_time_s: Annotated[Seconds, Osc("d")]
    rate: Annotated[float, Meta(ge=0, le=16), Osc("f")] = 1.0


Command: TypeAlias = Start | Stop | Pause | Resume | Seek | PlaybackPosition
"""What the engine carries out (`Engine.command`); by WebSocket, by OSC, and in Python."""
SessionCommand: TypeAlias = Command | PracticeCommand
"""What can be asked of a running session."""
Request: TypeAlias = (
    AskHello
    | Ping
    | AskList
    | Watch
    | OpenAudio
    | ReportGap
    | Captured
    | EndAudio
    | Command
    | PracticeCommand
    | RoomRequest
)
"""Everything a WebSocket client may send."""
OscRequest: TypeAlias = Command | AskHello | PracticeCommand
"""Everything that OSC may ask for."""

REQUESTS: tuple[type[Request], ...] = get_args(Request)
OSC_REQUESTS: tuple[type[OscRequest], ...] = get_args(OscRequest)
