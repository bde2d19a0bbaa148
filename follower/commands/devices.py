"""`follower devices`: list the audio devices, or show the level of an input."""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from follower.commands.options.microphone import MicrophoneOptions
from follower.commands.options.values import duration_s
from follower.terminal import make_console, make_table, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from follower.audio.microphone import MicrophoneSource

DESCRIPTION = "List the audio devices. With --meter, show the level of one input."
METER_S = 0.1
METER_COLUMNS = 40
FLOOR_DB = -60.0
CLIPPING_PEAK = 0.999


@dataclass(frozen=True)
class DevicesOptions:
    """What is shown.

    Attributes:
        meter: show the level of an input instead of the list.
        duration_s: end the meter after so long; None for never.
        microphone: which input.
    """

    meter: bool
    duration_s: float | None
    microphone: MicrophoneOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("--meter", action="store_true", help="show the level of the input until Ctrl-C")
    parser.add_argument(
        "--seconds", type=duration_s, metavar="TIME", help="end the meter after so long (seconds or m:ss)"
    )
    MicrophoneOptions.add_arguments(parser)


def options_of(values: argparse.Namespace) -> DevicesOptions:
    """Take what was parsed."""
    return DevicesOptions(values.meter, values.seconds, MicrophoneOptions.of(values))


def run(options: DevicesOptions) -> int:
    """Carry out the command."""
    if options.meter:
        return _meter(options)
    from follower.audio import device_thread, portaudio

    found = device_thread.in_time(portaudio.devices)
    table = make_table(headings=False)
    for justify in ("left", "right", "right", "right", "right", "left"):
        table.add_column(justify=justify)
    for d in found:
        mark = "*" if d.is_default_input else ""
        name = f"{d.host_api}: {d.name}"
        table.add_row(mark, str(d.index), f"{d.inputs} in", f"{d.outputs} out", f"{d.sample_rate_hz} Hz", name)
    if not found:
        print("no audio devices; is a sound server running?")
        return 0
    print_table(table)
    if any(d.is_default_input for d in found):
        print("* is the default input")
    return 0


def level_db(samples: NDArray[np.float32]) -> float:
    """Return the RMS level in dB re full scale, -inf for silence.

    Args:
        samples: shape (n,), n > 0.

    Example:
        >>> import numpy as np
        >>> round(level_db(np.full(4, 0.1, np.float32)), 3)
        -20.0
    """
    power = float((samples.astype("float64") ** 2).mean())
    return 10.0 * math.log10(power) if power > 0.0 else -math.inf


def level_text(rms_db: float, peak: float) -> str:
    """Return the level in words, with a warning when the input clips."""
    return f"{rms_db:6.1f} dB{' CLIPPING' if peak >= CLIPPING_PEAK else ''}"


@contextlib.contextmanager
def level_display() -> Iterator[Callable[[float, float], None]]:
    """Show levels on stdout: a bar rewritten in place on a terminal, a line each elsewhere.

    Yields:
        Takes the RMS level (dB re full scale) and the peak (full scale is 1).
    """
    if not sys.stdout.isatty():
        yield lambda rms_db, peak: print(level_text(rms_db, peak), flush=True)
        return
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    with Live(console=make_console(sys.stdout), auto_refresh=False) as live:

        def show(rms_db: float, peak: float) -> None:
            row = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=-FLOOR_DB, completed=max(rms_db - FLOOR_DB, 0.0), width=METER_COLUMNS)
            row.add_row(bar, level_text(rms_db, peak))
            live.update(row, refresh=True)

        yield show


def _meter(options: DevicesOptions) -> int:
    from follower.audio.microphone import MicrophoneSource
    from follower.commands.follow import interruptible

    m = options.microphone
    with (
        MicrophoneSource(m.device, m.sample_rate_hz, m.channels, m.block_samples) as source,
        interruptible(source.stop) as interruption,
        level_display() as show,
    ):
        print(f"{source.name} at {source.sample_rate_hz} Hz", file=sys.stderr)
        for samples in _stretches(source, options.duration_s):
            show(level_db(samples), float(abs(samples).max()))
    return interruption.exit_code


def _stretches(source: MicrophoneSource, end_s: float | None) -> Iterator[NDArray[np.float32]]:
    """Yield the source's sound in stretches of about 0.1 s, until it has lasted so long; None for ever."""
    import numpy as np

    from follower.events import Notice

    waiting: list[NDArray[np.float32]] = []
    n = total = 0
    for item in source.blocks():
        if isinstance(item, Notice):
            print(item.message, file=sys.stderr)
            continue
        waiting.append(item.samples)
        n += len(item.samples)
        total += len(item.samples)
        if n >= METER_S * source.sample_rate_hz:
            yield np.concatenate(waiting)
            waiting, n = [], 0
        if end_s is not None and total >= end_s * source.sample_rate_hz:
            return
