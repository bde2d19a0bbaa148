"""Numbers for JSON, which has no infinity."""

from __future__ import annotations

import math


def finite_or_none(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
