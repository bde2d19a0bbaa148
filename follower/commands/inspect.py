"""`follower inspect`: what is in a cache, and whether prep worked, in words and as a picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from follower.terminal import clock_text, make_table, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from follower.piece.piece import Piece

DESCRIPTION = (
    "Print what a cache was made from and how well the full mix was aligned to the orchestra recording: tuning, cuts, "
    "weak passages. The plot shows the map over the cost, its confidence, the cuts, both waveforms and where the piano "
    "plays in the mix."
)
TRUSTED = 0.7
"""Confidence from which the summary counts the map as trusted."""
WEAK_MIN_S = 3.0
"""Shorter stretches of low confidence are not listed."""
WEAK = 0.4


@dataclass(frozen=True)
class InspectOptions:
    """What is looked at.

    Attributes:
        cache: folder made by offline-prep.
        plot: picture to draw; None for none.
    """

    cache: Path
    plot: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("--plot", type=Path, metavar="F.png", help="draw it (png, pdf or svg)")


def options_of(values: argparse.Namespace) -> InspectOptions:
    """Take what was parsed."""
    return InspectOptions(values.cache, values.plot)


def run(options: InspectOptions) -> int:
    """Carry out the command."""
    from follower.files.writable import check_picture
    from follower.piece.reading import load_piece

    check_picture(options.plot)
    piece = load_piece(options.cache)
    print_table(summary(piece))
    if options.plot is not None:
        from follower.commands.inspect_plot import plot_cache

        plot_cache(piece, options.plot)
        print(f"plot written to {options.plot}")
    return 0


def summary(piece: Piece) -> Table:
    """One fact a row: what it is about, and what it says."""
    import numpy as np

    found, mix_map = piece.manifest.alignment, piece.map
    table = make_table(["about", "found"], headings=False)
    table.add_row("cache", f"{piece.path} (version {piece.manifest.program_version})")
    for role, file in piece.manifest.inputs.items():
        recording = f"{clock_text(file.duration_s)}, {file.sample_rate_hz} Hz, sha256 {file.sha256[:12]}"
        table.add_row(role.replace("_", " "), f"{file.path}  {recording}")
    for role, file in piece.manifest.separated.items():
        played = "" if role != "mix_orchestra" or "orchestra" in piece.manifest.inputs else "; played as the orchestra"
        table.add_row(role.replace("_", " "), f"{piece.path / file.path}  taken out of the mix{played}")
    if "distinctness" in found and "orchestra" in piece.manifest.inputs:
        ratio = f"{found['distinctness']:.1f} times as well as in a wrong key"
        table.add_row("fit", f"{found['fit']} (they match {ratio})")
        table.add_row(
            "tuning",
            f"orchestra {100 * found['orchestra_tuning_semitones']:+.0f} cents, mix "
            f"{100 * found['mix_tuning_semitones']:+.0f} cents, transposed by {found['transposition_semitones']:+d}",
        )
    seconds = np.diff(mix_map.mix_s)
    playing = seconds * ~mix_map.in_cut(mix_map.mix_s[:-1])
    share = playing / max(float(playing.sum()), 1e-9)
    confidence = mix_map.confidence[:-1]
    table.add_row(
        "map",
        f"{len(mix_map.mix_s)} knots; where the orchestra does not wait, mean confidence "
        f"{float(confidence @ share):.2f}, {float(share[confidence >= TRUSTED].sum()):.0%} at {TRUSTED:g} or more",
    )
    for begin, end, hold in mix_map.cuts:
        table.add_row(
            "orchestra waits",
            f"mix {clock_text(begin)} to {clock_text(end)} ({end - begin:.1f} s) at {clock_text(hold)}",
        )
    for k in np.flatnonzero((seconds <= 0.0) & (np.diff(mix_map.orchestra_s) > 0.5)):
        before, after = clock_text(mix_map.orchestra_s[k]), clock_text(mix_map.orchestra_s[k + 1])
        table.add_row("orchestra jumps", f"mix {clock_text(mix_map.mix_s[k])}: {before} to {after}")
    for begin, end in weak_passages(piece):
        table.add_row("weak", f"mix {clock_text(begin)} to {clock_text(end)}: confidence under {WEAK:g}")
    for warning in found.get("warnings", ()):
        table.add_row("warning", warning)
    return table


def weak_passages(piece: Piece) -> list[tuple[float, float]]:
    """Stretches of the mix (begin, end in s) outside cuts whose confidence stays low."""
    import numpy as np

    m = piece.map
    weak = (m.confidence < WEAK) & ~m.in_cut(m.mix_s)
    edge = np.diff(np.concatenate([[False], weak, [False]]).astype(np.int8))
    begin, end = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - 1
    spans = [(float(m.mix_s[a]), float(m.mix_s[b])) for a, b in zip(begin, end, strict=True)]
    return [(a, b) for a, b in spans if b - a >= WEAK_MIN_S]
