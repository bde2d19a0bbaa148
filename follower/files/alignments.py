"""The notebook's result files, from a live run: hyp.npy, p_po_align.npy, o_po_align.npy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.events import Event, Position, Session
from follower.files.npy import write_npy
from follower.files.whole_file import WholeFile
from follower.piece.mix_map import MixMap
from follower.session.background_sink import BackgroundSink

CHECKPOINT_S = 10.0
"""The files are written anew whenever so much more audio was followed: a program that is killed loses no more."""


class AlignmentSink(BackgroundSink):
    """Collect the positions and write them as warping paths, at checkpoints and when the session is over.

    `hyp.npy`: float64 (2, L), seconds: piano, orchestra. `p_po_align.npy`: int64 (2, L), frames: piano, full mix.
    `o_po_align.npy`: int64 (2, K), frames: orchestra, full mix (the cache's map). All as the notebook saves them. Each
    file is whole at any time.

    Args:
        folder: where to write; must exist.
        mix_map: the cache's map.
        frame_s: seconds per frame of the two alignments (the notebook's hop).
    """

    def __init__(self, folder: Path, mix_map: MixMap, frame_s: float) -> None:
        super().__init__()
        self._folder = folder
        self._mix_map = mix_map
        self._frame_s = frame_s
        self._forget()

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._folder)

    def open(self) -> None:
        """Write the files of a session without positions.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            self._save("o_po_align.npy", self._frames(self._mix_map.orchestra_s, self._mix_map.mix_s))
            self._write()
        except OSError as e:
            raise OutputError(f"cannot write {self._folder}: {e.strerror or e}; choose a folder you may write") from e

    def deliver(self, items: list[Session | Event]) -> None:
        """Keep the positions that are known; write when it is time to."""
        for item in items:
            if isinstance(item, Session):
                self._forget()
            elif isinstance(item, Position):
                self._keep(item)
        if self._new and self._new[-1][0] - self._written_s >= CHECKPOINT_S:
            self._write()

    def close(self) -> None:
        """Write all of it."""
        self._write()

    def _forget(self) -> None:
        """Begin anew, without positions."""
        self._claims = np.zeros((0, 3))
        self._new: list[tuple[float, float, float]] = []
        self._written_s = 0.0

    def _keep(self, position: Position) -> None:
        if position.orchestra_time_s is not None and position.mix_time_s is not None:
            self._new.append((position.audio_time_s, position.orchestra_time_s, position.mix_time_s))

    def _write(self) -> None:
        if self._new:
            self._claims = np.concatenate([self._claims, np.array(self._new)])
            self._written_s = self._new[-1][0]
            self._new = []
        piano_s, orchestra_s, mix_s = self._claims.T
        self._save("hyp.npy", np.stack([piano_s, orchestra_s]))
        self._save("p_po_align.npy", self._frames(piano_s, mix_s))

    def _frames(self, a_s: NDArray[np.float64], b_s: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.round(np.stack([a_s, b_s]) / self._frame_s).astype(np.int64)

    def _save(self, name: str, array: NDArray[np.float64] | NDArray[np.int64]) -> None:
        with WholeFile(self._folder / name) as file:
            write_npy(file.part, array)
            file.complete()
