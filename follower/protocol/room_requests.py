"""What the practice room's page asks of a server beside commands: the sound of the orchestra, and the library."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from follower.protocol.fields import ClockSeconds, Name
from follower.protocol.structs import RequestStruct

FileName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


class Listen(RequestStruct, frozen=True, tag="listen"):
    """Send this client the orchestra's sound in binary frames; answered by `sound`. Another listener loses it.

    Attributes:
        sample_rate_hz: of the sound wanted.
    """

    sample_rate_hz: Annotated[int, Meta(ge=22050, le=96_000)]


class Heard(RequestStruct, frozen=True, tag="heard"):
    """When this client's loudspeaker plays which frame of the sound; sent a few times a second.

    Attributes:
        stream: number of the stream, from `sound`.
        frame: counter of a frame.
        at_s: the server's clock when that frame leaves the loudspeaker, output latency included (s).
        slack_ms: by how much the latest of the frames since the last report came before it was needed.
        missing: frames since the last report that came too late and were silence.
    """

    stream: Annotated[int, Meta(ge=0, le=2**31)]
    frame: Annotated[int, Meta(ge=0, le=2**53)]
    at_s: ClockSeconds
    slack_ms: Annotated[float, Meta(ge=-10_000, le=10_000)]
    missing: Annotated[int, Meta(ge=0, le=10**9)] = 0


class Unlisten(RequestStruct, frozen=True, tag="unlisten"):
    """Send no more sound; answered by `quiet`."""


class AskLibrary(RequestStruct, frozen=True, tag="library"):
    """Ask for the pieces and the preparations; answered by `library`, now and whenever something changes."""


class Upload(RequestStruct, frozen=True, tag="upload"):
    """Bring a recording: the binary frames that follow are its bytes. Answered by `uploaded`.

    Attributes:
        file: name of the file, for people.
        size_bytes: length of the file.
    """

    file: FileName
    size_bytes: Annotated[int, Meta(ge=1, le=2**40)]


class Prepare(RequestStruct, frozen=True, tag="prepare"):
    """Prepare a piece from recordings that were uploaded or lie in the library's folder; `library` tells the progress.

    Attributes:
        piece: name of the piece.
        orchestra: name of the orchestra recording, from `uploaded` or `library`; left out to prepare a piece again.
        mix: name of the full recording.
        mix_orchestra: name of an orchestra stem of the full recording.
    """

    piece: Name
    orchestra: FileName | None = None
    mix: FileName | None = None
    mix_orchestra: FileName | None = None


class Cancel(RequestStruct, frozen=True, tag="cancel"):
    """Give a preparation up, or take one that failed off the list.

    Attributes:
        piece: name of the piece.
    """

    piece: Name


class Rename(RequestStruct, frozen=True, tag="rename"):
    """Give a piece another name.

    Attributes:
        piece: name of the piece.
        to: new name.
    """

    piece: Name
    to: Name


class Delete(RequestStruct, frozen=True, tag="delete"):
    """Remove a piece with its recordings, markers and takes from the library.

    Attributes:
        piece: name of the piece.
    """

    piece: Name


class AskOverview(RequestStruct, frozen=True, tag="overview"):
    """Ask what a piece looks like; answered by `overview`.

    Attributes:
        piece: name of the piece; None is that of the watched session.
    """

    piece: Name | None = None


class Fetch(RequestStruct, frozen=True, tag="fetch"):
    """Ask for the bytes of a recorded session: binary frames, and `fetched` at their end.

    Attributes:
        take: name of the recording, from `overview`.
        piece: name of the piece; None is that of the watched session.
    """

    take: FileName
    piece: Name | None = None


SoundRequest: TypeAlias = Listen | Heard | Unlisten
LibraryRequest: TypeAlias = AskLibrary | Upload | Prepare | Cancel | Rename | Delete
PieceRequest: TypeAlias = AskOverview | Fetch
RoomRequest: TypeAlias = SoundRequest | LibraryRequest | PieceRequest
"""Only over WebSocket."""
