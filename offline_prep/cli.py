"""The `offline-prep` command: build the cache of one piece from its two recordings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from follower.cli import CommandParser, add_version, report_errors
from follower.errors import ConfigError
from follower.terminal import clock_text, make_table, print_table, progress_bar

HELP: Final = "see offline-prep --help"


@dataclass(frozen=True)
class PrepOptions:
    """What is to be built.

    Attributes:
        orchestra: orchestra-only recording; None where the orchestra is taken out of the mix.
        mix: recording of piano and orchestra.
        out: the cache's folder.
        mix_piano: piano stem of the mix; None without.
        mix_orchestra: orchestra stem of the mix; None without.
        separate: also write the mix's piano and orchestra into the cache, taken apart.
        force: build even when nothing changed.
        quiet: print warnings and errors only.
        progress_lines: print the progress as lines of JSON, for a program.
    """

    orchestra: Path | None
    mix: Path
    out: Path
    mix_piano: Path | None
    mix_orchestra: Path | None
    separate: bool
    force: bool
    quiet: bool
    progress_lines: bool


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="offline-prep",
        usage="offline-prep ORCHESTRA MIX --out CACHE [options]\n"
        "       offline-prep --mix MIX --no-orchestra --out CACHE [options]",
        description="Read the orchestra-only recording and the full mix once and write the cache `follower` needs. "
        "`offline-prep batch CATALOG.csv --out LIBRARY` does so for many pieces: offline-prep batch --help.",
    )
    parser.add_argument(
        "orchestra", type=Path, nargs="?", metavar="ORCHESTRA", help="orchestra-only recording (wav, flac, ...)"
    )
    parser.add_argument("full", type=Path, nargs="?", metavar="MIX", help="full recording, piano and orchestra")
    parser.add_argument(
        "--no-orchestra",
        action="store_true",
        help="there is no orchestra-only recording: take the orchestra out of the mix, which --mix gives",
    )
    parser.add_argument("--mix", type=Path, metavar="MIX", help="full recording, with --no-orchestra")
    parser.add_argument("--out", type=Path, metavar="CACHE", help="folder to write")
    parser.add_argument(
        "--mix-piano", type=Path, metavar="F", help="piano stem of the mix; the live piano is compared with it, too"
    )
    parser.add_argument(
        "--mix-orchestra", type=Path, metavar="F", help="orchestra stem of the mix; used where it gives a surer map"
    )
    parser.add_argument(
        "--separate", action="store_true", help="also take the mix apart: mix_piano.flac, mix_orchestra.flac in CACHE"
    )
    parser.add_argument("--force", action="store_true", help="build again even when nothing changed")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no summary; warnings and errors only")
    parser.add_argument(
        "--progress-lines", action="store_true", help="print the progress as lines of JSON, for a program; no summary"
    )
    add_version(parser)
    return parser


def options_of(values: argparse.Namespace) -> PrepOptions:
    """Take what was parsed.

    Raises:
        ConfigError: the recordings given are not those that are needed.
    """
    if values.no_orchestra:
        needed = {"--mix": values.mix, "--out": values.out}
        unwanted = {
            "ORCHESTRA": values.orchestra,
            "--mix-piano": values.mix_piano,
            "--mix-orchestra": values.mix_orchestra,
        }
    else:
        needed = {"ORCHESTRA": values.orchestra, "MIX": values.full, "--out": values.out}
        unwanted = {"--mix": values.mix}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise ConfigError(f"the following arguments are required: {', '.join(missing)}; {HELP}")
    surplus = [name for name, value in unwanted.items() if value is not None]
    if surplus:
        side = "without" if values.no_orchestra else "with"
        raise ConfigError(f"{', '.join(surplus)} cannot be given {side} an orchestra recording; {HELP}")
    return PrepOptions(
        values.orchestra,
        values.mix if values.no_orchestra else values.full,
        values.out,
        values.mix_piano,
        values.mix_orchestra,
        values.separate or values.no_orchestra,
        values.force,
        values.quiet or values.progress_lines,
        values.progress_lines,
    )


def print_progress(stage: str, share: float) -> None:
    """Print how far the work is as a line of JSON."""
    print(json.dumps({"stage": stage, "share": round(share, 4)}), flush=True)


def run(options: PrepOptions) -> int:
    """Build the cache and print what came out."""
    from offline_prep.build import build_cache
    from offline_prep.compute import Inputs
    from offline_prep.separation.config import SeparationConfig
    from offline_prep.settings import PrepSettings

    inputs = Inputs(options.orchestra, options.mix, options.mix_piano, options.mix_orchestra)
    settings = PrepSettings(separation=SeparationConfig()) if options.separate else PrepSettings()
    with progress_bar(hidden=options.quiet) as bar:
        progress = print_progress if options.progress_lines else bar
        result = build_cache(inputs, options.out, settings, progress=progress, force=options.force)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if options.quiet:
        return 0
    if result.unchanged:
        print(f"{result.path} is up to date: same recordings, same configuration. --force builds it again.")
        return 0
    if result.outdated is not None:
        print(f"built again: {result.outdated}")
    alignment = result.manifest.alignment
    table = make_table(["about", "made"], headings=False)
    for role, f in result.manifest.inputs.items():
        table.add_row(role.replace("_", " "), f"{f.path}  {clock_text(f.duration_s)}, {f.sample_rate_hz} Hz")
    if options.orchestra is None:
        table.add_row("orchestra", "taken out of the mix")
    else:
        table.add_row("alignment", f"{alignment['fit']} (mean confidence {alignment['confidence']:.2f})")
    for f in result.manifest.separated.values():
        table.add_row("separated", str(result.path / f.path))
    table.add_row("cache", str(result.path))
    print_table(table)
    print(f"next: follower inspect {result.path} --plot map.png    or    follower replay {result.path} PIANO")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["batch"]:
        from offline_prep import batch

        return report_errors(lambda: batch.run(batch.options_of(batch.build_parser().parse_args(words[1:]))))
    return report_errors(lambda: run(options_of(build_parser().parse_args(words))))


if __name__ == "__main__":
    sys.exit(main())
