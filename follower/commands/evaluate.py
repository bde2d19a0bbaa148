"""`follower evaluate`: error tables and curves over annotated scenarios."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from follower.commands.options.values import time_s, whole_number
from follower.errors import InputError, OutputError
from follower.terminal import print_table, progress_bar

if TYPE_CHECKING:
    from follower.evaluation.scenario import Scenario
    from follower.evaluation.table import Pooled, Results

DESCRIPTION = (
    "Run systems on scenario folders (p, o, po recordings, annotated beats); print the errors, per scenario and "
    "pooled, median and bias in ms, percentage of beats over each tolerance, seconds to the first lock, jumps and "
    "false jumps, rate error, backward steps."
)


@dataclass(frozen=True)
class EvaluateOptions:
    """One evaluation.

    Attributes:
        scenarios: scenario folders.
        systems: what `system_name` takes; empty is the default one.
        json: file for everything as JSON; None for none.
        plot: picture of the errors and the calibration; None for none.
        report: folder for one page with everything; None for none.
        out: folder for each system's positions and paths; None for none.
        pools: patterns of scenario names that are pooled too.
        jobs: processes.
        scheduler: address of a Dask scheduler whose workers do it; None for processes here.
        start_known: the engine starts where the pianist begins.
        start_offset_s: what is added to the true start.
        cache_folder: where prepared caches are kept; None is a folder of the user's.
        use_stems: prepare with a scenario's separated stems.
        rebuild: prepare again even when nothing changed.
    """

    scenarios: tuple[Path, ...]
    systems: tuple[str, ...]
    json: Path | None
    plot: Path | None
    report: Path | None
    out: Path | None
    pools: tuple[str, ...]
    jobs: int
    scheduler: str | None
    start_known: bool
    start_offset_s: float
    cache_folder: Path | None
    use_stems: bool
    rebuild: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO", help="scenario folder")
    parser.add_argument(
        "--system",
        action="append",
        dest="systems",
        default=[],
        metavar="NAME",
        help="live:tempo, live:dense-sparse (P to O, live), mix:METHOD (P to PO, live), notebook, separation, naive "
        "(P to O, offline), map, map:naive ... (PO to O), positions:DIR (made elsewhere), MODULE:CLASS[=ARG] (yours; "
        "see docs/scenario-format.md); repeatable; default: live",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write everything as JSON")
    parser.add_argument("--plot", type=Path, metavar="F.png", help="draw error against tolerance, and the calibration")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write DIR/index.html: tables, errors and tempo over time, paths, the worst passages to listen to",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each system's positions and paths")
    parser.add_argument(
        "--pool",
        action="append",
        default=[],
        metavar="PATTERN[,PATTERN]",
        help="also pool the scenarios whose names match, e.g. '*_pause'; repeatable",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number(1),
        default=min(2, os.cpu_count() or 1),
        metavar="N",
        help="processes (default: %(default)s)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="let the workers of a Dask scheduler do it (tcp://10.0.0.5:8786), which must reach the same folders",
    )
    parser.add_argument(
        "--start", choices=("auto", "known"), default="auto", help="known: the engine starts where the pianist begins"
    )
    parser.add_argument(
        "--start-offset",
        type=time_s,
        default=0.0,
        metavar="TIME",
        help="with --start known: be wrong by so much (seconds or m:ss; --start-offset=-0:02 for early)",
    )
    parser.add_argument("--cache-dir", type=Path, metavar="DIR", help="keep prepared caches here (default: per user)")
    parser.add_argument("--no-stems", action="store_true", help="do not use a scenario's separated stems")
    parser.add_argument("--rebuild", action="store_true", help="prepare again even when nothing changed")


def options_of(values: argparse.Namespace) -> EvaluateOptions:
    """Take what was parsed."""
    return EvaluateOptions(
        tuple(values.scenarios),
        tuple(values.systems),
        values.json,
        values.plot,
        values.report,
        values.out,
        tuple(values.pool),
        values.jobs,
        values.scheduler,
        values.start == "known",
        values.start_offset,
        values.cache_dir,
        not values.no_stems,
        values.rebuild,
    )


def run(options: EvaluateOptions) -> int:
    """Carry out the command."""
    from follower.evaluation.parallel import evaluate_scenarios
    from follower.evaluation.plots import plot_evaluation
    from follower.evaluation.scenario import load_scenario
    from follower.evaluation.systems.registry import DEFAULT_SYSTEM, check_scenario, system_name
    from follower.evaluation.systems.workbench import Settings
    from follower.evaluation.table import (
        ALL,
        alignment_table,
        behaviour_text,
        confidence_tables,
        error_table,
        note_lines,
        pools,
        to_json,
    )
    from follower.files.user_folders import user_cache_folder
    from follower.files.writable import check_file, check_folder, check_picture

    systems = list(dict.fromkeys(system_name(name) for name in options.systems or (DEFAULT_SYSTEM,)))
    scenarios = [load_scenario(folder) for folder in options.scenarios]
    _check_names([s.name for s in scenarios])
    for name in systems:
        for scenario in scenarios:
            check_scenario(name, scenario)
    check_file(options.json)
    check_picture(options.plot)
    check_folder(options.out)
    check_folder(options.report)
    settings = Settings(
        options.cache_folder or user_cache_folder() / "evaluate",
        options.start_known,
        options.start_offset_s,
        options.use_stems,
        options.rebuild,
        options.out,
    )
    with progress_bar() as progress:
        done: list[str] = []

        def on_done(name: str) -> None:
            done.append(name)
            progress(f"{len(done)}/{len(scenarios)} {name}", len(done) / len(scenarios))

        progress(f"0/{len(scenarios)}", 0.0)
        results = evaluate_scenarios(
            scenarios,
            systems,
            settings,
            options.jobs,
            on_done,
            options.scheduler,
            lambda line: print(line, file=sys.stderr),
        )
    pooled = pools(results, options.pools)
    print_table(error_table(results, pooled))
    print("\nalignment as mir_eval measures it; heard: beats with an attack of the orchestra within 60 ms")
    print_table(alignment_table(pooled))
    for line in note_lines(results):
        print(line)
    text = behaviour_text(pooled[ALL])
    if text:
        print(text)
    for title, table in confidence_tables(pooled[ALL]):
        print(title)
        print_table(table)
    if options.json is not None:
        start = "known" if options.start_known else "auto"
        described = {"systems": systems, "start": start, "start_offset_s": options.start_offset_s}
        _write(options.json, json.dumps(to_json(results, pooled, described), indent=1) + "\n")
    if options.plot is not None:
        plot_evaluation(pooled[ALL], options.plot)
    if options.report is not None:
        evaluated = [s for s in scenarios if s.name in results]
        with progress_bar() as progress:
            print(f"report: {_report(options.report, evaluated, results, pooled, progress)}")
    failed = len(scenarios) - len(results)
    if failed:
        raise InputError(f"{failed} of {len(scenarios)} scenarios could not be evaluated; why is said above")
    return 0


def _report(
    folder: Path,
    scenarios: Sequence[Scenario],
    results: Results,
    pooled: Mapping[str, Mapping[str, Pooled]],
    progress: Callable[[str, float], None],
) -> Path:
    from datetime import UTC, datetime

    from follower.evaluation.report.build import write_report
    from follower.version import program_version

    done: list[str] = []

    def on_done(name: str) -> None:
        done.append(name)
        progress(f"report: {name}", len(done) / len(scenarios))

    systems = ", ".join(pooled["all"])
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    count = f"{len(scenarios)} scenario{'' if len(scenarios) == 1 else 's'}"
    made = f"{count}; {systems}. Made on {when} by follower {program_version()}."
    return write_report(folder, scenarios, results, pooled, made, on_done)


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"two scenarios are named {twice[0]}; give each scenario once, and folders of different names")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a file you may write") from e
