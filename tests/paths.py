"""Where the tests find things."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[1]
BENCHMARKS: Final = REPOSITORY / "benchmarks"
EXAMPLES: Final = REPOSITORY / "examples"
DATA: Final = REPOSITORY / "tests" / "data"
