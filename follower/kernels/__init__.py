"""All compiled code: one module per topic (numba's on-disk cache is per file), arrays in, arrays out.

No `fastmath`: infinities carry meaning here. Each kernel has a slow plain oracle in `tests/naive/`.
"""

from __future__ import annotations

import importlib
import pkgutil


def warmup() -> None:
    """Compile every kernel (or load it from numba's on-disk cache) before a stream opens.

    Each module of this package defines `warmup()`, which calls its kernels once on tiny arrays.
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}").warmup()
