"""No more work than at the last release that was recorded: counted, so it is the same on every computer."""

from __future__ import annotations

import functools

from benchmarks import history


def test_nothing_takes_more_work_than_at_the_last_release() -> None:
    last = history.history()[-1]
    work, _ = history.measure()
    assert history.grown(work, last.work) == [], (
        "if that is worth it, say why in CHANGELOG.md and record: python -m benchmarks.history --record VERSION"
    )
    short, long = (work[f"frames of the mix weighed per hop, {s} s"] for s in (40, 120))
    assert long <= short, "a hop's work does not grow with the piece"
    assert work["rows of costs per row of a path"] <= 2


def test_growth_is_found_and_what_is_gone_too() -> None:
    before = {"rows": 2.0, "calls per hop, tempo": 100.0, "gone": 1.0}
    allowed = history.ALLOWED["calls per hop, tempo"]
    assert history.grown({"rows": 2.0, "calls per hop, tempo": 100.0 * allowed, "gone": 0.5}, before) == []
    found = history.grown({"rows": 2.1, "calls per hop, tempo": 101.0 * allowed}, before)
    assert [line.partition(":")[0] for line in found] == ["rows", "calls per hop, tempo", "gone"]


def test_calls_are_counted() -> None:

    def work(n: int) -> list[int]:
        return [abs(k) for k in range(n)]

    few, many = (history.calls_of(functools.partial(work, n)) for n in (10, 110))
    assert many - few == 100
