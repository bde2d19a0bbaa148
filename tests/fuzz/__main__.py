"""Fuzz by command: `python -m tests.fuzz --examples 100000 --json fuzz.json`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run the targets asked for; the exit code is 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="append", choices=TARGETS, help="repeatable (default: all)")
    parser.add_argument("--examples", type=int, default=100_000, metavar="N", help="each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the examples (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="F", help="write the outcome, with the examples found in hex")
    options = parser.parse_args()
    outcomes = []
    for target in options.target or TARGETS:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            folder = Path(scratch) / "folder"
            folder.mkdir()
            outcome = fuzz(target, options.examples, options.seed, folder)
        outcomes.append(outcome)
        print(
            f"{outcome.target:>16}: {outcome.examples} examples in {outcome.seconds:.0f} s, slowest "
            f"{1e3 * outcome.slowest_s:.0f} ms, memory {outcome.growth_bytes / 2**20:+.1f} MB, "
            f"{len(outcome.findings)} findings",
            flush=True,
        )
        for finding in outcome.findings:
            print(f"    example {finding.number}: {finding.error:.200}\n    {finding.data[:200]!r}", flush=True)
    if options.json is not None:
        found = [asdict(o) for o in outcomes]
        options.json.write_text(json.dumps(found, indent=1, default=lambda data: data.hex()) + "\n", encoding="utf-8")
    return int(any(o.findings for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
