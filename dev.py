#!/usr/bin/env python3
"""Set up and run, on a machine that has only Python 3.11 or newer.

python3 dev.py demo     make .venv where there is none, install, run the demo (prep, follow, table, plot)
python3 dev.py check    the same with the development tools, then every check: ruff, mypy --strict, pytest
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("CONCERTO_FOLLOWER_VENV", ROOT / ".venv"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
EXTRAS = {"demo": "", "check": "[dev]"}


def run(*command: str, **environment: str) -> None:
    """Run a command in the project's folder; end with its exit code when it fails."""
    print("+", " ".join(command), flush=True)
    begin_s = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode
    print(f"  ({time.monotonic() - begin_s:.0f} s)", flush=True)
    if code:
        sys.exit(code)


def install(extra: str) -> None:
    """Make the virtual environment and install the project into it, unless that was done for this pyproject.toml."""
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        print(f"making a virtual environment in {VENV}", flush=True)
        venv.create(VENV, with_pip=True)
    stamp = VENV / f"installed{extra or '[]'}"
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    run(str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f".{extra}")
    stamp.write_text(digest)


def check() -> None:
    """Run every check, cheapest first."""
    python = str(BIN / "python")
    run(python, "-m", "ruff", "check", ".")
    run(python, "-m", "ruff", "format", "--check", ".")
    run(python, "-m", "mypy", "--strict")
    run(python, "-m", "pytest", "-q", "-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile")
    # The kernels' tests once more as plain Python: what numba compiles must also be what Python would do.
    run(python, "-m", "pytest", "-q", "-m", "plain", "-p", "no:xdist", NUMBA_DISABLE_JIT="1")


def main() -> None:
    """Run the command named on the command line."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs before anything checks the version)
        sys.exit(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed")
    if len(sys.argv) < 2 or sys.argv[1] not in EXTRAS:
        sys.exit(__doc__)
    install(EXTRAS[sys.argv[1]])
    if sys.argv[1] == "check":
        check()
    else:
        run(str(BIN / "follower"), "demo", *sys.argv[2:])


if __name__ == "__main__":
    main()
