"""Weights of a network that comes with the package, as its training stored them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import ConfigError


def read_weights(
    file: Path, names: Iterable[str], reading: NDArray[np.float64], network: str, training: str
) -> dict[str, NDArray[np.float32]]:
    """Read the arrays named.

    Args:
        file: NPZ, with what the network was trained to read in the array "reading".
        names: of the arrays.
        reading: what this version computes for it to read.
        network: its name in messages.
        training: what trains it, in messages.

    Raises:
        ConfigError: the file is no such network, or was trained to read other features than these.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            trained_on = np.asarray(stored["reading"])
            arrays = {name: np.asarray(stored[name], dtype=np.float32) for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as e:
        raise ConfigError(f"{file} holds no {network} ({e}); install the package anew") from e
    if not np.array_equal(trained_on, reading):
        raise ConfigError(
            f"{file} was trained on other features ({trained_on.tolist()}) than this version computes "
            f"({reading.tolist()}); train it anew with {training}"
        )
    return arrays
