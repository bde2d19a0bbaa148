"""Tasks that fail, on a real scheduler whose worker is a thread of the test."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from follower.cluster import RETRIES, Cluster, Finished, cluster
from follower.errors import ConfigError, InputError

CALLS: Counter[str] = Counter()
LOCK = threading.Lock()


def work(name: str, failures: int) -> str:
    with LOCK:
        CALLS[name] += 1
        calls = CALLS[name]
    if failures < 0:
        raise InputError(f"{name} is no\n recording")
    if calls <= failures:
        raise MemoryError("no memory")
    return name.upper()


@pytest.fixture(scope="module")
def workers() -> Iterator[Cluster]:
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as local,
        cluster(local.scheduler_address, 1) as connected,
    ):
        yield connected


def test_what_fails_is_tried_again_and_what_cannot_succeed_is_not(workers: Cluster) -> None:
    CALLS.clear()
    tasks = {"good": ("good", 0), "flaky": ("flaky", RETRIES), "lost": ("lost", 99), "wrong": ("wrong", -1)}
    found = {finished.name: finished for finished in workers.run(work, tasks)}
    assert found["good"] == Finished("good", "GOOD", "") and found["flaky"] == Finished("flaky", "FLAKY", "")
    assert found["lost"] == Finished("lost", None, f"failed {RETRIES + 1} times: MemoryError: no memory")
    assert found["wrong"] == Finished("wrong", None, "wrong is no recording")
    assert CALLS == {"good": 1, "flaky": RETRIES + 1, "lost": RETRIES + 1, "wrong": 1}


def test_what_comes_first_is_done_once_and_its_failure_is_that_of_all_after_it(workers: Cluster) -> None:
    CALLS.clear()
    before = {"cache": ("cache", 0), "broken": ("broken", -1)}
    after = {"a": "cache", "b": "cache", "c": "broken"}
    found = {f.name: f for f in workers.run(work, {name: (name, 0) for name in after}, after, (work, before))}
    assert found["a"].result == "A" and found["b"].result == "B"
    assert found["c"] == Finished("c", None, "broken is no recording")
    assert CALLS == {"cache": 1, "broken": 1, "a": 1, "b": 1}


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("follower.cluster.CONNECT_WITHIN_S", 0.2)
    with (
        pytest.raises(ConfigError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"),
        cluster("tcp://127.0.0.1:9", 1),
    ):
        pass
