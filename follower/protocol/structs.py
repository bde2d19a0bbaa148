"""What all messages and all requests have in common."""

from __future__ import annotations

from msgspec import Struct

from follower.protocol.fields import wire_name


class RequestStruct(Struct, frozen=True, tag_field="type", rename=wire_name, forbid_unknown_fields=True):
    """Base of all requests: immutable, told apart by `type`, nothing unknown accepted."""


class MessageStruct(Struct, frozen=True, tag_field="type", rename=wire_name):
    """Base of all messages: immutable, told apart by `type`. Readers ignore what they do not know."""
