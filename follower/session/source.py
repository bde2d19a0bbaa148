"""What a source of live audio is."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from follower.events import AudioBlock, Notice


class Source(Protocol):
    """Live piano audio, block by block. Constructors do nothing visible; entering the context opens the device or file.

    `blocks` yields until the audio ends or `stop` is called; the sample counter of each block counts lost samples too.
    A `Notice` between blocks tells what happened to the source (a device went away, a reconnect).
    """

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the blocks; valid once opened."""
        ...

    def __enter__(self) -> Self:
        """Open.

        Raises:
            FollowerError: the source cannot be opened.
        """
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; never raises."""
        ...

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield the audio; may wait for it."""
        ...

    def stop(self) -> None:
        """Make `blocks` end soon; may be called from any thread or signal handler."""
        ...
