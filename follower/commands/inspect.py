"""`follower inspect`: what is in a cache, and whether prep worked, in words and as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from follower.commands.inspect_plot import plot_cache
from follower.piece.piece import Piece
from follower.piece.reading import load_piece

TRUSTED = 0.7
"""Confidence from which the summary counts the map as trusted."""
WEAK_LEAST_S = 3.0
"""Shorter stretches of low confidence are not listed."""
WEAK = 0.4


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect",
        help="show what is in a cache and how well its recordings were aligned",
        description="Print what a cache was made from and how well the full mix was aligned to the orchestra "
        "recording: tuning, cuts, weak places. The plot shows the map over the cost, its confidence, the cuts, both "
        "waveforms and where the piano plays in the mix.",
    )
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("--plot", type=Path, metavar="F.png", help="draw it (png, pdf or svg)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    piece = load_piece(args.cache)
    print(describe(piece))
    if args.plot is not None:
        plot_cache(piece, args.plot)
        print(f"plot written to {args.plot}")
    return 0


def describe(piece: Piece) -> str:
    """The summary as text, one fact a line."""
    found, mix_map = piece.manifest.alignment, piece.map
    lines = [f"cache      {piece.path} (version {piece.manifest.program_version})"]
    for role, file in piece.manifest.inputs.items():
        lines.append(
            f"{role.replace('_', ' '):<18} {file.path}  {clock(file.duration_s)}, {file.sample_rate_hz} Hz, "
            f"sha256 {file.sha256[:12]}"
        )
    if "distinctness" in found:
        ratio = f"{found['distinctness']:.1f} times as well as in a wrong key"
        lines.append(f"fit                {found['fit']} (they match {ratio})")
        lines.append(
            f"tuning             orchestra {100 * found['orchestra_tuning_semitones']:+.0f} cents, mix "
            f"{100 * found['mix_tuning_semitones']:+.0f} cents, transposed by {found['transposition_semitones']:+d}"
        )
    seconds = np.diff(mix_map.mix_s)
    playing = seconds * ~mix_map.in_cut(mix_map.mix_s[:-1])
    share = playing / max(float(playing.sum()), 1e-9)
    confidence = mix_map.confidence[:-1]
    lines.append(
        f"map                {len(mix_map.mix_s)} knots; where the orchestra does not wait, mean confidence "
        f"{float(confidence @ share):.2f}, {float(share[confidence >= TRUSTED].sum()):.0%} at {TRUSTED:g} or more"
    )
    for begin, end, hold in mix_map.cuts:
        lines.append(f"orchestra waits    mix {clock(begin)} to {clock(end)} ({end - begin:.1f} s) at {clock(hold)}")
    jumped = np.flatnonzero((seconds <= 0.0) & (np.diff(mix_map.orchestra_s) > 0.5))
    for k in jumped:
        lines.append(
            f"orchestra jumps    mix {clock(mix_map.mix_s[k])}: {clock(mix_map.orchestra_s[k])} to "
            f"{clock(mix_map.orchestra_s[k + 1])}"
        )
    for begin, end in weak_places(piece):
        lines.append(f"weak               mix {clock(begin)} to {clock(end)}: confidence under {WEAK:g}")
    lines += [f"warning            {w}" for w in found.get("warnings", ())]
    return "\n".join(lines)


def weak_places(piece: Piece) -> list[tuple[float, float]]:
    """Stretches of the mix (begin, end in s) outside cuts whose confidence stays low."""
    m = piece.map
    weak = (m.confidence < WEAK) & ~m.in_cut(m.mix_s)
    edge = np.diff(np.concatenate([[False], weak, [False]]).astype(np.int8))
    begin, end = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - 1
    spans = [(float(m.mix_s[a]), float(m.mix_s[b])) for a, b in zip(begin, end, strict=True)]
    return [(a, b) for a, b in spans if b - a >= WEAK_LEAST_S]


def clock(seconds: float) -> str:
    """Minutes and seconds, 1:02.3."""
    tenths = round(10 * float(seconds))
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
