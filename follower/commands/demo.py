"""`follower demo`: synthesise a small concerto of our own, prepare it, follow it live, say how well that went."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from follower.errors import OutputError
from follower.terminal import print_table

DESCRIPTION = (
    "Synthesise a small concerto for piano and strings of our own in three performances, prepare the two with "
    "orchestra, follow the third live from an unknown start, print the errors beside those of two offline systems, "
    "and draw them."
)
OFFLINE_SYSTEMS = ("naive", "notebook")
"""What the live system is compared with: these see the whole recording before they answer."""


@dataclass(frozen=True)
class DemoOptions:
    """One demonstration.

    Attributes:
        out: folder for everything.
        plot: where the picture is drawn.
    """

    out: Path
    plot: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), metavar="DIR", help="folder for everything (default: %(default)s)"
    )
    parser.add_argument("--plot", type=Path, metavar="F.png", help="where to draw (default: DIR/demo.png)")


def options_of(values: argparse.Namespace) -> DemoOptions:
    """Take what was parsed."""
    return DemoOptions(values.out, values.plot or values.out / "demo.png")


def run(options: DemoOptions) -> int:
    """Carry out the command."""
    from follower import kernels
    from follower.demo.plot import plot_demo, read_track
    from follower.demo.render import demo_scenario
    from follower.evaluation.scenario import load_scenario
    from follower.evaluation.systems.registry import DEFAULT_SYSTEM, SYSTEMS
    from follower.evaluation.systems.workbench import Settings, Workbench
    from follower.evaluation.table import error_table, note_lines, pools
    from follower.files.writable import check_folder, check_picture
    from follower.inference.methods import DEFAULT_METHOD

    out = options.out
    check_folder(out)
    if options.plot.parent != out:
        check_picture(options.plot)
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
    print_table(error_table(results, pools(results, ())))
    for line in note_lines(results):
        print(line)
    plot_demo(scenario.truth, read_track(positions), {n: o.error_s for n, o in outcomes.items()}, options.plot)
    print(f"\nplot: {options.plot}")
    sound = f"replay {piece.path} {scenario.piano} --speed max --render {out / 'followed.wav'}"
    print(f"hear it: {follower_program()} {sound}")
    return 0


def follower_program() -> str:
    """How to call this program from the user's shell: by its name, or by its path where PATH does not lead to it.

    `dev.py demo` runs the demo in an environment that the shell it was called from has not activated.
    """
    called = Path(sys.argv[0])
    if called.name != "follower" or not called.is_file():
        return "follower"
    found = shutil.which("follower")
    if found is not None and Path(found).samefile(called):
        return "follower"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)
