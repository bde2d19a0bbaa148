"""Other programs that want the processor."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def cpu_load(processes: int) -> Iterator[None]:
    """Run busy processes of our own priority meanwhile."""
    command = [sys.executable, "-c", "import os\nwhile os.getppid() != 1: sum(range(100000))"]
    busy = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
