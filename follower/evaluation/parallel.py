"""Evaluate scenarios in several processes. Each cache is built once, before the scenarios that share it."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from follower.errors import FollowerError, InputError
from follower.evaluation.scenario import Scenario
from follower.evaluation.systems.outcome import Outcome
from follower.evaluation.systems.registry import needs_cache, system_of
from follower.evaluation.systems.workbench import Settings, Workbench, cache_name


@dataclass(frozen=True)
class ScenarioOutcomes:
    """What each system did on one scenario."""

    name: str
    outcomes: dict[str, Outcome]


def evaluate_scenario(scenario: Scenario, systems: Sequence[str], settings: Settings) -> ScenarioOutcomes:
    """Run the systems on one scenario, in this process.

    Raises:
        FollowerError: a recording cannot be used, or the truth lacks what a system is measured against; the message
            begins with the scenario's name.
    """
    with _named_errors(scenario):
        bench = Workbench(scenario, settings)
        return ScenarioOutcomes(scenario.name, {name: system_of(name)(bench) for name in systems})


def prepare(scenario: Scenario, systems: Sequence[str], settings: Settings) -> None:
    """Build a scenario's cache, in this process, where a system needs it and it is missing or out of date.

    Errors as in `evaluate_scenario`.
    """
    with _named_errors(scenario):
        if any(needs_cache(name) for name in systems):
            _ = Workbench(scenario, settings).piece


@contextlib.contextmanager
def _named_errors(scenario: Scenario) -> Iterator[None]:
    """Let an error say which scenario it is about: in another process nobody sees what was being done."""
    try:
        yield
    except FollowerError as e:
        raise type(e)(f"{scenario.name}: {e}") from e


def evaluate_scenarios(
    scenarios: Sequence[Scenario],
    systems: Sequence[str],
    settings: Settings,
    jobs: int,
    on_done: Callable[[str], None],
    scheduler: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Outcome]]:
    """Run the systems on all scenarios.

    Args:
        scenarios: with different names.
        systems: names as `system_name` gives them.
        settings: see `Settings`.
        jobs: number of processes; 1 stays in this one.
        on_done: called with the name of each scenario that is done.
        scheduler: address of a Dask scheduler whose workers do it, all with these folders; None: processes here.
        tell: called with lines for a person, where there is a scheduler: its page, and which scenarios failed and why.

    Returns:
        Scenario -> system -> outcome, in the order given, without those that failed.

    Raises:
        FollowerError: a scenario cannot be evaluated; the others are given up. With a scheduler: none can.
    """
    found: dict[str, dict[str, Outcome]] = {}
    if scheduler is None:
        outcomes = _run(scenarios, systems, settings, min(jobs, len(scenarios)))
    else:
        outcomes = _run_on_cluster(scenarios, systems, settings, scheduler, tell)
    for done in outcomes:
        found[done.name] = done.outcomes
        on_done(done.name)
    if not found:
        raise InputError("no scenario could be evaluated")
    return {s.name: found[s.name] for s in scenarios if s.name in found}


def _run_on_cluster(
    scenarios: Sequence[Scenario],
    systems: Sequence[str],
    settings: Settings,
    scheduler: str,
    tell: Callable[[str], None],
) -> Iterator[ScenarioOutcomes]:
    """As `_run`. Folders are sent as whole paths: a worker has another current folder."""
    from follower.cluster import cluster

    settings = replace(
        settings,
        cache_folder=settings.cache_folder.resolve(),
        out=None if settings.out is None else settings.out.resolve(),
    )
    there = [_with_whole_paths(scenario) for scenario in scenarios]
    caches = {s.name: cache_name(s, settings) for s in there}
    preparations = {caches[s.name]: (s, systems, settings) for s in reversed(there)}
    prepared = replace(settings, rebuild=False)
    with cluster(scheduler, 1) as workers:
        tell(f"dashboard: {workers.dashboard}")
        tasks = {s.name: (s, systems, prepared) for s in there}
        for finished in workers.run(evaluate_scenario, tasks, caches, (prepare, preparations)):
            if finished.result is not None:
                yield finished.result
                continue
            named = finished.failure.startswith(f"{finished.name}: ")
            tell(f"failed: {finished.failure if named else f'{finished.name}: {finished.failure}'}")


def _with_whole_paths(scenario: Scenario) -> Scenario:
    stems = None if scenario.stems is None else (scenario.stems[0].resolve(), scenario.stems[1].resolve())
    return replace(
        scenario,
        folder=scenario.folder.resolve(),
        piano=scenario.piano.resolve(),
        orchestra=scenario.orchestra.resolve(),
        mix=scenario.mix.resolve(),
        stems=stems,
    )


def _run(
    scenarios: Sequence[Scenario], systems: Sequence[str], settings: Settings, jobs: int
) -> Iterator[ScenarioOutcomes]:
    by_cache: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        by_cache.setdefault(cache_name(scenario, settings), []).append(scenario)
    prepared = replace(settings, rebuild=False)
    if jobs == 1:
        for sharing in by_cache.values():
            prepare(sharing[0], systems, settings)
            for scenario in sharing:
                yield evaluate_scenario(scenario, systems, prepared)
        return
    # The longest first, so that no process is left alone with it at the end.
    longest_first = sorted(by_cache.values(), key=lambda sharing: sharing[0].mix.stat().st_size, reverse=True)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start_worker) as pool:
        preparing = {pool.submit(prepare, sharing[0], systems, settings): sharing for sharing in longest_first}
        waiting: set[Future[Any]] = set(preparing)
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    if future in preparing:
                        sharing = preparing[future]
                        waiting |= {pool.submit(evaluate_scenario, s, systems, prepared) for s in sharing}
                    else:
                        yield outcome
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    """Each process keeps to its core, and ends with the one that started it, however that ended."""
    import numpy  # noqa: F401  (its libraries must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
