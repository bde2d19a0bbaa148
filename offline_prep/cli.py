"""The `offline-prep` command: build the cache of one piece from its two recordings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from follower.cli import run_command


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(
        prog="offline-prep",
        description="Read the orchestra-only recording and the full mix once and write the cache `follower` needs.",
    )
    parser.add_argument("orchestra", type=Path, metavar="ORCHESTRA", help="orchestra-only recording (wav, flac, ...)")
    parser.add_argument("mix", type=Path, metavar="MIX", help="full recording, piano and orchestra")
    parser.add_argument("--out", type=Path, required=True, metavar="CACHE", help="folder to write")
    parser.add_argument(
        "--mix-piano", type=Path, metavar="F", help="piano stem of the mix; kept for a later version, not used yet"
    )
    parser.add_argument(
        "--mix-orchestra", type=Path, metavar="F", help="orchestra stem of the mix; used where it gives a surer map"
    )
    parser.add_argument("--force", action="store_true", help="build again even when nothing changed")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no summary; warnings and errors only")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('concerto-follower')}")
    return parser


def run(args: argparse.Namespace) -> int:
    """Build the cache and print what came out."""
    from tqdm import tqdm

    from offline_prep.build import build_cache
    from offline_prep.compute import Inputs

    inputs = Inputs(args.orchestra, args.mix, args.mix_piano, args.mix_orchestra)
    bar_format = "{desc:<34.34} {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"
    hidden = True if args.quiet else None  # None: unless stderr is a terminal
    with tqdm(total=1.0, bar_format=bar_format, file=sys.stderr, leave=False, disable=hidden) as bar:

        def progress(stage: str, share: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.update(share - bar.n)

        result = build_cache(inputs, args.out, progress=progress, force=args.force)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.quiet:
        return 0
    if result.unchanged:
        print(f"{result.path} is up to date: same recordings, same configuration. --force builds it again.")
        return 0
    if result.outdated is not None:
        print(f"built again: {result.outdated}")
    for role, f in result.manifest.inputs.items():
        print(f"{role.replace('_', ' '):>14}: {f.path} ({f.duration_s:.1f} s at {f.sample_rate_hz} Hz)")
    alignment = result.manifest.alignment
    print(f"     alignment: {alignment['fit']} (mean confidence {alignment['confidence']:.2f})")
    print(f"         cache: {result.path}")
    print(f"next: follower inspect {result.path} --plot map.png    or    follower replay {result.path} PIANO")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    return run_command(run, build_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
