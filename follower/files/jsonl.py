"""Every event as one JSON object a line."""

from __future__ import annotations

import json
from typing import TextIO

from follower.events import Event, Session
from follower.files.text_file import TextFileSink
from follower.protocol.codec import to_object
from follower.protocol.conversion import message_of


class JsonlSink(TextFileSink):
    """Write one JSON object per event, in order."""

    def write(self, file: TextIO, items: list[Session | Event]) -> None:
        """Write the items."""
        file.writelines(json.dumps(to_object(message_of(i))) + "\n" for i in items)
