"""Load librosa with one process at a time compiling it.

librosa compiles some functions with numba when it is first imported, and keeps them in its own folder. Two processes
that do so at once leave a mixture there, and from then on every process that loads it dies with a segmentation fault
(seen with librosa 0.11.0, numba 0.68.1 in a new virtual environment: two preparations at a time).
"""

from __future__ import annotations

import functools
import getpass
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

LOCK_TIMEOUT_S = 300.0
"""Compiling takes seconds; a lock older than this is somebody else's trouble, and no reason to wait."""


@functools.cache
def load_librosa() -> Any:
    """Import librosa, and call what `offline_prep` uses of it, while no other process of this user does.

    Returns:
        The module `librosa`.
    """
    import filelock

    lock = filelock.FileLock(Path(tempfile.gettempdir()) / f"concerto-follower-{getpass.getuser()}.lock")
    try:
        lock.acquire(timeout=LOCK_TIMEOUT_S)
    except filelock.Timeout:
        return _compiled()
    try:
        return _compiled()
    finally:
        lock.release()


def _compiled() -> Any:
    import librosa

    tone = np.sin(0.2 * np.arange(1 << 16, dtype=np.float32))
    librosa.feature.chroma_cqt(y=tone, sr=22050, hop_length=512)
    librosa.feature.mfcc(y=tone, sr=22050, hop_length=512)
    return librosa
