"""The log of a command that runs for long: one line per event, `key=value`, on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")


class KeyValueFormatter(logging.Formatter):
    """`time level logger key=value ...`; values with spaces or quotes as JSON strings, control characters escaped.

    The keys and values are the record's `extra={"fields": {...}}`; the message is the first of them, `event`.

    Example:
        >>> record = logging.makeLogRecord(
        ...     {"name": "serve", "levelname": "INFO", "msg": "refused", "created": 0.0, "fields": {"why": "too many"}}
        ... )
        >>> KeyValueFormatter().format(record)
        '1970-01-01T00:00:00.000Z INFO serve event=refused why="too many"'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {"event": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        when = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.created % 1 * 1000):03d}Z"
        )
        words = (f"{key}={_shown(value)}" for key, value in fields.items())
        return f"{when} {record.levelname} {record.name} {' '.join(words)}"


def _shown(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    plain = text and all(c.isprintable() and c not in ' "=' for c in text)
    return text if plain else json.dumps(text, ensure_ascii=True)


@contextmanager
def log_to_stderr(level: str) -> Iterator[None]:
    """Send the program's log to standard error, from this level on, while this is open; then as it was before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    log = logging.getLogger("follower")
    before = log.handlers, log.level, log.propagate
    log.handlers = [handler]
    log.setLevel(level.upper())
    log.propagate = False
    try:
        yield
    finally:
        log.handlers, log.level, log.propagate = before
