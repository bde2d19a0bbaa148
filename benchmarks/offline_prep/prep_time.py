"""Processor time and memory of `offline-prep` on two recordings, in a process of its own.

python -m benchmarks.offline_prep.prep_time ORCHESTRA MIX [--record]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile

from benchmarks.results import add_option, record


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orchestra", type=Path, metavar="ORCHESTRA")
    parser.add_argument("mix", type=Path, metavar="MIX")
    add_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        prep = [sys.executable, "-m", "offline_prep.cli", args.orchestra, args.mix, "--out", f"{scratch}/cache"]
        code = subprocess.run(prep, check=False).returncode
    if code:
        return code
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    row = {
        "orchestra_s": round(soundfile.info(args.orchestra).duration),
        "mix_s": round(soundfile.info(args.mix).duration),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1e3),
    }
    print("  ".join(f"{k} {v}" for k, v in row.items()))
    if args.record:
        record("prep", [row])
    return 0


if __name__ == "__main__":
    sys.exit(main())
