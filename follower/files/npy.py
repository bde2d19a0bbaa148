"""Arrays as npy files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write an array.

    `numpy.save` to a file writes through a buffer of C's and takes no notice when the disk is full as that is emptied:
    the end of the array would be missing, and nobody told.

    Raises:
        OSError: the file cannot be written, all of it.
    """
    encoded = io.BytesIO()
    np.save(encoded, array, allow_pickle=False)
    path.write_bytes(encoded.getbuffer())
