"""Soak by command: `python -m tests.soak --minutes 120 --json soak.json`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.soak.soak import soak


def main() -> int:
    """Run; the exit code is 1 when something is missing or grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, metavar="N", help="of audio (default: %(default)g)")
    parser.add_argument("--json", type=Path, metavar="F", help="write the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        result = soak(options.minutes, Path(folder), lambda line: print(line, flush=True))
    text = json.dumps({**asdict(result), "passed": result.passed}, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
