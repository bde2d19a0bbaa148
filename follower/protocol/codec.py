"""Messages and requests as JSON text, and back, checked against their Structs."""

from __future__ import annotations

import json
import reprlib
from functools import cache
from typing import Any, NoReturn

import msgspec

from follower.errors import InputError, ProtocolError
from follower.protocol.commands import REQUESTS, Request
from follower.protocol.messages import MESSAGES, ErrorCode, Message

MAX_ECHO = 160
"""Characters of a client's own words in an error: it must not echo a megabyte."""


class RefusedError(ProtocolError):
    """A client's message was refused.

    Args:
        code: one of the protocol's error codes.
        message: what was wrong and what to do.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code


def kind_of(struct: type[Request] | type[Message]) -> str:
    """Return the `type` by which a Struct is told apart on the wire.

    Example:
        >>> from follower.protocol.commands import PlaybackPosition
        >>> kind_of(PlaybackPosition)
        'playback'
    """
    return str(struct.__struct_config__.tag)


REQUEST_OF = {kind_of(struct): struct for struct in REQUESTS}
MESSAGE_OF = {kind_of(struct): struct for struct in MESSAGES}


def to_object(content: Message | Request) -> dict[str, Any]:
    """Return a message or request as a plain JSON object, `type` first; fields that are not set are left out.

    Example:
        >>> from follower.protocol.commands import Seek
        >>> to_object(Seek(12.5))
        {'type': 'seek', 'orchestra_time': 12.5}
    """
    found: dict[str, Any] = msgspec.to_builtins(content)
    return found


def encode(content: Message | Request) -> str:
    """Return a message or request as one line of JSON, without spaces.

    The text is `json`'s, not msgspec's: receivers see the numbers and escapes they have always seen.

    Raises:
        ProtocolError: a number is not finite.
    """
    try:
        return json.dumps(to_object(content), allow_nan=False, separators=(",", ":"))
    except ValueError:
        raise ProtocolError(f"{content!r:.200} cannot be sent; give finite numbers") from None


def decode_request(text: str) -> Request:
    """Return what a client asks for.

    Raises:
        RefusedError: not JSON, not an object, unknown type, or outside the bounds of its Struct.

    Example:
        >>> decode_request('{"type": "seek", "orchestra_time": 12.5}')
        Seek(orchestra_time_s=12.5)
    """
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise RefusedError("malformed", f"not JSON ({_short(str(e))}); send one JSON object per text frame") from None
    if not isinstance(content, dict):
        raise RefusedError("malformed", f"a JSON {type(content).__name__}; send an object with a type")
    kind = content.get("type")
    struct = REQUEST_OF.get(kind) if isinstance(kind, str) else None
    if struct is None:
        raise RefusedError("invalid", f"unknown type {_shown(kind)}; send one of {', '.join(REQUEST_OF)}")
    for name in _integer_names(struct):  # 48000.0 is an integer in JSON's eyes, and some languages write it so
        if isinstance(value := content.get(name), float) and value.is_integer():
            content[name] = int(value)
    try:
        return msgspec.convert(content, struct)
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair
        raise RefusedError("malformed", f"{kind}: a text with half of a surrogate pair; send Unicode") from None
    except msgspec.ValidationError as e:
        what, _, place = str(e).partition(" - at `$")
        name = place.removesuffix("`")
        if name.removeprefix(".") in content and "got" not in what:  # out of bounds: say the value too
            what += f", got {_shown(content[name.removeprefix('.')])}"
        raise RefusedError("invalid", f"{kind}{name}: {_short(what)}") from None


def require_in_bounds(request: Request) -> None:
    """Refuse a request made in Python that could not have come over the wire: its Struct checks nothing by itself.

    Raises:
        InputError: a field is outside its bounds.

    Example:
        >>> from follower.protocol.commands import Seek
        >>> require_in_bounds(Seek(12.5))
    """
    try:
        msgspec.convert(to_object(request), type(request))
    except msgspec.ValidationError as e:
        raise InputError(f"{request!r:.200} is out of bounds ({e})") from None


def decode_message(content: dict[str, Any]) -> Message | None:
    """Return a server's message from its JSON object; None for a type that this version does not know.

    Raises:
        ProtocolError: a property is missing or of the wrong kind.
    """
    struct = MESSAGE_OF.get(content.get("type", ""))
    if struct is None:
        return None
    try:
        return msgspec.convert(content, struct)
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair
        raise ProtocolError("a text with half of a surrogate pair") from None
    except msgspec.ValidationError as e:
        raise ProtocolError(f"a {content['type']} message that cannot be read: {e}; another version?") from e


@cache
def _integer_names(struct: type[Request]) -> tuple[str, ...]:
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    return tuple(f.encode_name for f in info.fields if isinstance(f.type, msgspec.inspect.IntType))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _shown(value: object) -> str:
    """Write out a client's value for an error; cut first, for writing out a long list takes longer than reading it."""
    return _short(repr(value[:MAX_ECHO]) if isinstance(value, str) else reprlib.repr(value))


def _short(text: str) -> str:
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 3] + "..."
