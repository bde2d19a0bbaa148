"""Evaluate scenarios in several processes. A scenario stays in one process, so its cache is built once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from follower.evaluation.scenario import Scenario
from follower.evaluation.systems import SYSTEMS, Outcome, Settings, Workbench


@dataclass(frozen=True)
class ScenarioOutcomes:
    """What each system did on one scenario."""

    name: str
    outcomes: dict[str, Outcome]


def evaluate_scenario(scenario: Scenario, systems: Sequence[str], settings: Settings) -> ScenarioOutcomes:
    """Run the systems on one scenario, in this process.

    Raises:
        FollowerError: a recording cannot be used, or the truth lacks what a system is measured against.
    """
    bench = Workbench(scenario, settings)
    return ScenarioOutcomes(scenario.name, {name: SYSTEMS[name](bench) for name in systems})


def evaluate_scenarios(
    scenarios: Sequence[Scenario],
    systems: Sequence[str],
    settings: Settings,
    jobs: int,
    on_done: Callable[[str], None],
) -> dict[str, dict[str, Outcome]]:
    """Run the systems on all scenarios.

    Args:
        scenarios: with different names.
        systems: names in `SYSTEMS`.
        settings: see `Settings`.
        jobs: number of processes; 1 stays in this one.
        on_done: called with the name of each scenario that is done.

    Returns:
        Scenario -> system -> outcome, in the order given.

    Raises:
        FollowerError: a scenario cannot be evaluated; the others are given up.
    """
    found: dict[str, dict[str, Outcome]] = {}
    for done in _run(scenarios, systems, settings, min(jobs, len(scenarios))):
        found[done.name] = done.outcomes
        on_done(done.name)
    return {s.name: found[s.name] for s in scenarios}


def _run(
    scenarios: Sequence[Scenario], systems: Sequence[str], settings: Settings, jobs: int
) -> Iterator[ScenarioOutcomes]:
    if jobs == 1:
        for scenario in scenarios:
            yield evaluate_scenario(scenario, systems, settings)
        return
    # The longest first, so that no process is left alone with it at the end.
    by_size = sorted(scenarios, key=lambda s: s.mix.stat().st_size, reverse=True)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _one_thread) as pool:
        futures = [pool.submit(evaluate_scenario, s, systems, settings) for s in by_size]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one_thread() -> None:
    """Each process keeps to its core."""
    import numpy  # noqa: F401  (its libraries must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
