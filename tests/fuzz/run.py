"""Fuzz a target and watch the process: what escapes, hangs, memory, descriptors, threads, files outside."""

from __future__ import annotations

import faulthandler
import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import TARGETS, corpus_of

HANGS_AFTER_S: Final = 60
"""One example that takes so long ends the process with a traceback of every thread."""
CLOSES_WITHIN_S = 10.0
"""What a target has closed goes in its own time, but not later."""
MAX_GROWTH_BYTES: Final = 100 << 20


@dataclass(frozen=True)
class Finding:
    """An example that did what none may.

    Attributes:
        target: which reader.
        number: of the example under its seed.
        data: the example.
        error: what happened.
    """

    target: str
    number: int
    data: bytes
    error: str


@dataclass(frozen=True)
class Outcome:
    """One target's run.

    Attributes:
        target: which reader.
        examples: how many were tried.
        seconds: how long that took.
        slowest_s: the slowest example.
        growth_bytes: of the process's memory, from the first tenth on.
        findings: the first few.
    """

    target: str
    examples: int
    seconds: float
    slowest_s: float
    growth_bytes: int
    findings: tuple[Finding, ...]


def fuzz(target: str, examples: int, seed: int, folder: Path, most_findings: int = 5) -> Outcome:
    """Try so many examples on a target.

    Args:
        target: name in `tests.fuzz.targets.TARGETS`.
        examples: how many.
        seed: of the examples.
        folder: empty; everything the target writes.
        most_findings: after so many it stops.

    Raises:
        AssertionError: the process has more descriptors or threads than before, or far more memory, or a file was
            written outside of the target's folder.
    """
    mutator = Mutator(corpus_of(target, folder), seed)
    findings: list[Finding] = []
    slowest_s, grown_from = 0.0, resident_bytes()
    begun_s = time.monotonic()
    with _watched(folder), TARGETS[target](_made(folder / target)) as run:
        for number in range(examples):
            if number == examples // 10:
                grown_from = resident_bytes()
            data = mutator.next()
            one_s = time.monotonic()
            faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
            try:
                run(data)
            except Exception as e:
                findings.append(Finding(target, number, data, f"{type(e).__name__}: {e}"))
            finally:
                faulthandler.cancel_dump_traceback_later()
            slowest_s = max(slowest_s, time.monotonic() - one_s)
            if len(findings) >= most_findings:
                break
        growth = resident_bytes() - grown_from
    assert growth < MAX_GROWTH_BYTES, f"{target}: memory grew by {growth >> 20} MB"
    return Outcome(target, number + 1, time.monotonic() - begun_s, slowest_s, growth, tuple(findings))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _watched(folder: Path) -> Iterator[None]:
    """What a target opens it must close, and what it writes lies in its folder, not beside it or where it is run."""
    outside, here = set(folder.parent.iterdir()), _made(folder / "here")
    descriptors, threads = open_descriptors(), threading.active_count()
    with chdir(here):
        yield
    gc.collect()
    pause, deadline_s = threading.Event(), time.monotonic() + CLOSES_WITHIN_S
    while time.monotonic() < deadline_s and (open_descriptors() > descriptors or threading.active_count() > threads):
        pause.wait(0.01)
    assert open_descriptors() <= descriptors, "descriptors are left open"
    assert threading.active_count() <= threads, f"threads are left: {threading.enumerate()}"
    assert set(folder.parent.iterdir()) == outside and not list(here.iterdir()), "files were written outside"


def open_descriptors() -> int:
    """Number of open descriptors of this process; 0 where that cannot be told."""
    where = Path("/proc/self/fd")
    return len(list(where.iterdir())) if where.exists() else 0


def resident_bytes() -> int:
    """Memory of this process; 0 where that cannot be told."""
    where = Path("/proc/self/statm")
    return int(where.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if where.exists() else 0
