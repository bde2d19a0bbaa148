"""The notebook's result files, from a live run: hyp.npy, p_po_align.npy, o_po_align.npy."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.events import Event, Position, Session
from follower.piece.mix_map import MixMap


class AlignmentSink:
    """Collect the positions and write them as warping paths when it closes.

    `hyp.npy`: float64 (2, L), seconds: piano, orchestra. `p_po_align.npy`: int64 (2, L), frames: piano, full mix.
    `o_po_align.npy`: int64 (2, K), frames: orchestra, full mix (the cache's map). All as the notebook saves them.

    Args:
        folder: where to write; must exist.
        mix_map: the cache's map.
        frame_s: seconds per frame of the two alignments (the notebook's hop).
    """

    def __init__(self, folder: Path, mix_map: MixMap, frame_s: float) -> None:
        self._folder = folder
        self._mix_map = mix_map
        self._frame_s = frame_s
        self._claims: list[tuple[float, float, float]] = []

    @property
    def dropped(self) -> int:
        """None are ever dropped."""
        return 0

    def __enter__(self) -> Self:
        """Check that the folder can be written.

        Raises:
            OutputError: it cannot.
        """
        self._write("hyp.npy", np.zeros((2, 0)))
        return self

    def begin(self, session: Session) -> None:
        """Forget the positions of an earlier session."""
        self._claims.clear()

    def send(self, event: Event) -> None:
        """Keep a position that is known."""
        if isinstance(event, Position) and event.orchestra_time_s is not None and event.mix_time_s is not None:
            self._claims.append((event.audio_time_s, event.orchestra_time_s, event.mix_time_s))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the three files.

        Raises:
            OutputError: a file cannot be written.
        """
        piano_s, orchestra_s, mix_s = np.array(self._claims, np.float64).reshape(-1, 3).T
        self._write("hyp.npy", np.stack([piano_s, orchestra_s]))
        self._write("p_po_align.npy", self._frames(piano_s, mix_s))
        self._write("o_po_align.npy", self._frames(self._mix_map.orchestra_s, self._mix_map.mix_s))

    def _frames(self, a_s: NDArray[np.float64], b_s: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.round(np.stack([a_s, b_s]) / self._frame_s).astype(np.int64)

    def _write(self, name: str, array: NDArray[np.float64] | NDArray[np.int64]) -> None:
        try:
            np.save(self._folder / name, array, allow_pickle=False)
        except OSError as e:
            raise OutputError(
                f"cannot write {self._folder / name}: {e.strerror or e}; choose a folder you may write"
            ) from e
