"""`follower demo`: synthesise a small concerto of our own, prepare it, follow it live, say how well that went."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from follower.errors import OutputError

OFFLINE_SYSTEMS = ("naive", "notebook")
"""What the live system is compared with: these see the whole recording before they answer."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "demo",
        help="synthesise a small concerto, prepare it, follow it, print the errors, draw them",
        description="Synthesise a small concerto for piano and strings of our own in three performances, prepare the "
        "two with orchestra, follow the third live from an unknown start, print the errors beside those of two "
        "offline systems, and draw them.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), metavar="DIR", help="folder for everything (default: %(default)s)"
    )
    parser.add_argument("--plot", type=Path, metavar="F.png", help="where to draw (default: DIR/demo.png)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from follower import kernels
    from follower.demo.plot import plot_demo, read_track
    from follower.demo.render import demo_scenario
    from follower.evaluation.scenario import load_scenario
    from follower.evaluation.systems.registry import DEFAULT_SYSTEM, SYSTEMS
    from follower.evaluation.systems.workbench import Settings, Workbench
    from follower.evaluation.table import pools, text_table
    from follower.inference.base import DEFAULT_METHOD

    out: Path = args.out
    plot: Path = args.plot or out / "demo.png"
    clock = time.perf_counter
    begin = clock()
    folder = out / "concertino"
    try:
        shutil.copytree(demo_scenario(), folder, dirs_exist_ok=True)
    except OSError as e:  # shutil.Error carries a list instead of an errno
        raise OutputError(f"cannot write {folder}: {e.strerror or e}; choose a folder you may write for --out") from e
    scenario = load_scenario(folder)
    print(f"synthesised: {folder} (piano, orchestra, full mix; {clock() - begin:.1f} s)", flush=True)

    begin = clock()
    kernels.warmup()
    print(f"compiled: numba kernels, kept for the next time ({clock() - begin:.1f} s)", flush=True)

    begin = clock()
    bench = Workbench(scenario, Settings(out / "cache", out=out / "results"))
    piece = bench.piece
    print(f"prepared: {piece.path} ({clock() - begin:.1f} s)", flush=True)

    begin = clock()
    outcomes = {name: SYSTEMS[name](bench) for name in (DEFAULT_SYSTEM, *OFFLINE_SYSTEMS)}
    positions = out / "results" / scenario.name / f"live-{DEFAULT_METHOD}" / "positions.csv"
    print(f"followed: {positions} ({clock() - begin:.1f} s)\n", flush=True)

    results = {scenario.name: outcomes}
    print(text_table(results, pools(results, ())))
    plot_demo(scenario.truth, read_track(positions), {n: o.error_s for n, o in outcomes.items()}, plot)
    print(f"\nplot: {plot}")
    print(f"hear it: follower replay {piece.path} {scenario.piano} --speed max --render {out / 'followed.wav'}")
    return 0
