"""librosa is compiled by one process at a time: two at once left files that crashed every later process."""

from __future__ import annotations

from collections.abc import Iterator

import filelock
import pytest

from offline_prep.notebook import librosa_loader


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What happens while a fresh process loads librosa, in order."""
    seen: list[str] = []

    class Lock:
        def __init__(self, path: object) -> None:
            seen.append("one lock per user" if "concerto-follower-" in str(path) else str(path))

        def acquire(self, timeout: float) -> None:
            seen.append("acquire")

        def release(self) -> None:
            seen.append("release")

    monkeypatch.setattr(filelock, "FileLock", Lock)
    monkeypatch.setattr(librosa_loader, "_compiled", lambda: seen.append("compile"))
    librosa_loader.load_librosa.cache_clear()
    yield seen
    librosa_loader.load_librosa.cache_clear()


def test_it_is_compiled_inside_the_lock_and_once(steps: list[str]) -> None:
    librosa_loader.load_librosa()
    librosa_loader.load_librosa()
    assert steps == ["one lock per user", "acquire", "compile", "release"]


def test_a_lock_that_is_never_freed_does_not_stop_the_work(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(lock: object, timeout: float) -> None:
        raise filelock.Timeout("held")

    monkeypatch.setattr(filelock.FileLock, "acquire", never)
    librosa_loader.load_librosa()
    assert steps == ["one lock per user", "compile"]
