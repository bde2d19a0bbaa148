"""All compiled code: one module per topic (numba's on-disk cache is per file), arrays in, arrays out.

No `fastmath`: infinities carry meaning here. Each kernel has a slow plain oracle in `tests/naive/`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

FOLLOWING: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tempo": ("features", "bleed", "observation", "embedding", "likeness", "tempo_filter"),
        "dense-sparse": ("features", "bleed", "observation", "likeness", "tempo_filter", "dense_sparse", "gmm"),
    }
)
"""Modules whose kernels a session with this method uses."""
PLAYING: Final = ("stretch",)
"""Those that the orchestra's player uses."""


def warmup(names: Iterable[str] | None = None) -> None:
    """Compile kernels (or load them from numba's on-disk cache) before a stream opens.

    Each module of this package defines `warmup()`, which calls its kernels once on tiny arrays.

    Args:
        names: of modules; None for all.
    """
    for name in (module.name for module in pkgutil.iter_modules(__path__)) if names is None else names:
        importlib.import_module(f"{__name__}.{name}").warmup()
