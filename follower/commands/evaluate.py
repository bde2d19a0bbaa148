"""`follower evaluate`: error tables and curves over annotated scenarios."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from follower.errors import InputError, OutputError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="measure followers on annotated scenarios",
        description="Run systems on scenario folders (p, o, po recordings, annotated beats); print the errors, "
        "per scenario and pooled, median and bias in ms, percentage of beats over each tolerance, seconds to the first "
        "lock, jumps and false jumps, rate error, backward steps.",
    )
    parser.add_argument("scenarios", nargs="+", type=Path, metavar="SCENARIO", help="scenario folder")
    parser.add_argument(
        "--system",
        action="append",
        dest="systems",
        metavar="NAME",
        help="live:tempo, live:dense-sparse (P to O, live), mix:METHOD (P to PO, live), notebook, naive (P to O, "
        "offline), map, map:notebook, map:naive (PO to O); repeatable; default: live",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write everything as JSON")
    parser.add_argument("--plot", type=Path, metavar="F.png", help="draw error against tolerance, and the calibration")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each system's positions and paths")
    parser.add_argument(
        "--pool",
        action="append",
        default=[],
        metavar="PATTERN[,PATTERN]",
        help="also pool the scenarios whose names match, e.g. '*_pause'; repeatable",
    )
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="processes (default: %(default)s)"
    )
    parser.add_argument(
        "--start", choices=("auto", "known"), default="auto", help="known: tell the engine where the pianist begins"
    )
    parser.add_argument(
        "--start-offset", type=float, default=0.0, metavar="S", help="with --start known: be wrong by S seconds"
    )
    parser.add_argument("--cache-dir", type=Path, metavar="DIR", help="keep prepared caches here (default: per user)")
    parser.add_argument("--no-stems", action="store_true", help="do not use a scenario's separated stems")
    parser.add_argument("--rebuild", action="store_true", help="prepare again even when nothing changed")
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from tqdm import tqdm

    from follower.evaluation.parallel import evaluate_scenarios
    from follower.evaluation.plots import plot_evaluation
    from follower.evaluation.scenario import load_scenario
    from follower.evaluation.systems.registry import DEFAULT_SYSTEM, system_name
    from follower.evaluation.systems.workbench import Settings
    from follower.evaluation.table import ALL, behaviour_text, confidence_table, pools, text_table, to_json

    if args.jobs < 1:
        raise InputError(f"--jobs is {args.jobs}; give 1 or more")
    systems = list(dict.fromkeys(system_name(name) for name in args.systems or [DEFAULT_SYSTEM]))
    scenarios = [load_scenario(folder) for folder in args.scenarios]
    _check_names([s.name for s in scenarios])
    for path in (args.json, args.plot):
        _check_writable(path)
    settings = Settings(
        args.cache_dir or _default_cache_folder(),
        args.start == "known",
        args.start_offset,
        not args.no_stems,
        args.rebuild,
        args.out,
    )
    with tqdm(total=len(scenarios), unit="scenario", file=sys.stderr, leave=False, disable=None) as bar:

        def on_done(name: str) -> None:
            bar.set_postfix_str(name, refresh=False)
            bar.update()

        results = evaluate_scenarios(scenarios, systems, settings, args.jobs, on_done)
    pooled = pools(results, args.pool)
    print(text_table(results, pooled))
    for text in (behaviour_text(pooled[ALL]), confidence_table(pooled[ALL])):
        if text:
            print(text)
    if args.json is not None:
        described = {"systems": systems, "start": args.start, "start_offset_s": args.start_offset}
        _write(args.json, json.dumps(to_json(results, pooled, described), indent=1) + "\n")
    if args.plot is not None:
        plot_evaluation(pooled[ALL], args.plot)
    return 0


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"two scenarios are named {twice[0]}; give each scenario once, and folders of different names")


def _default_cache_folder() -> Path:
    from follower.demo.render import user_cache_folder

    return user_cache_folder() / "evaluate"


def _check_writable(path: Path | None) -> None:
    """Find out before the work that a result could not be written."""
    if path is not None and not path.resolve().parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.resolve().parent}; make it first")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a file you may write") from e
