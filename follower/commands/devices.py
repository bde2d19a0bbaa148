"""`follower devices`: list the audio devices, with a level meter on request."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.commands.live import add_microphone_options
from follower.commands.session import interruptible
from follower.errors import ConfigError

METER_S = 0.1
FLOOR_DB = -60.0
WIDTH = 40


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "devices",
        help="list audio devices, or show an input's level",
        description="List the audio devices. With --meter, show the level of one input.",
    )
    parser.add_argument("--meter", action="store_true", help="show the level of the input until Ctrl-C")
    parser.add_argument("--seconds", type=float, metavar="S", help="end the meter after so long")
    add_microphone_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    if args.meter:
        return _meter(args)
    from follower.audio.portaudio import devices

    found = devices()
    for d in found:
        mark = "*" if d.is_default_input else " "
        channels = f"{d.inputs:3d} in {d.outputs:3d} out"
        print(f"{mark} {d.index:3d}  {channels}  {d.sample_rate_hz:6d} Hz  {d.host_api}: {d.name}")
    if not found:
        print("no audio devices; is a sound server running?")
    elif any(d.is_default_input for d in found):
        print("* is the default input")
    return 0


def level_db(samples: NDArray[np.float32]) -> float:
    """Return the RMS level in dB re full scale, -inf for silence.

    Args:
        samples: shape (n,), n > 0.

    Example:
        >>> round(level_db(np.full(4, 0.1, np.float32)), 3)
        -20.0
    """
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def meter_line(rms_db: float, peak: float) -> str:
    """Return the meter's line: a bar from -60 dB to full scale, the level, a warning when the input clips."""
    filled = round(WIDTH * min(max(1.0 - rms_db / FLOOR_DB, 0.0), 1.0))
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {rms_db:6.1f} dB{' CLIPPING' if peak >= 0.999 else ''}"


def _meter(args: argparse.Namespace) -> int:
    from follower.audio.microphone import MicrophoneSource
    from follower.events import Notice

    if args.seconds is not None and not args.seconds > 0:
        raise ConfigError(f"--seconds is {args.seconds}; give a number above 0")
    end = "\r" if sys.stdout.isatty() else "\n"
    with MicrophoneSource(args.device, args.rate, args.channels, args.block) as source, interruptible(source.stop):
        waiting: list[NDArray[np.float32]] = []
        n = total = 0
        rate_hz = source.sample_rate_hz
        print(f"{source.name} at {rate_hz} Hz", file=sys.stderr)
        for item in source.blocks():
            if isinstance(item, Notice):
                print(item.message, file=sys.stderr)
                continue
            waiting.append(item.samples)
            n += len(item.samples)
            total += len(item.samples)
            if n >= METER_S * rate_hz:
                samples = np.concatenate(waiting)
                line = meter_line(level_db(samples), float(np.abs(samples).max()))
                print(line.ljust(WIDTH + 24), end=end, flush=True)
                waiting, n = [], 0
            if args.seconds is not None and total >= args.seconds * rate_hz:
                break
    if end == "\r":
        print()
    return 0
