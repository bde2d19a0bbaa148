"""`follower latency`: how late is what the follower reports?"""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from follower.commands.options.engine import EngineOptions
from follower.commands.options.values import duration_s, whole_number
from follower.errors import OutputError
from follower.protocol.address import LOOPBACK, Address
from follower.terminal import make_table, print_table

if TYPE_CHECKING:
    from follower.evaluation.latency.delays import Delays, Figures
    from follower.evaluation.latency.musical import Musical
    from follower.evaluation.latency.probes import Emitted

DESCRIPTION = (
    "Replay a recording in real time and measure how late positions are: leaving the engine, arriving by OSC and "
    "WebSocket in another process, and against the annotated truth."
)
TARGETS_MS = {"compute": 5.0, "osc": 10.0, "websocket": 10.0}
"""Of the 99th percentile, on a 12 minute reference."""


@dataclass(frozen=True)
class LatencyOptions:
    """One measurement.

    Attributes:
        cache: folder made by offline-prep.
        piano: recording of the solo piano.
        duration_s: how much of it is replayed.
        block_samples: samples per block.
        load: processes that keep the processor busy meanwhile.
        scenario: scenario folder with the truth; None to leave the musical delay out.
        plot: histograms to draw; None for none.
        json: file for the figures; None for none.
        engine: how the engine follows.
    """

    cache: Path
    piano: Path
    duration_s: float
    block_samples: int
    load: int
    scenario: Path | None
    plot: Path | None
    json: Path | None
    engine: EngineOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be written on the command line."""
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("piano", type=Path, metavar="PIANO", help="recording of the solo piano")
    parser.add_argument(
        "--seconds",
        type=duration_s,
        default=60.0,
        metavar="TIME",
        help="length (seconds or m:ss; default: %(default)g)",
    )
    parser.add_argument(
        "--block", type=whole_number(1), default=512, metavar="N", help="samples per block (default: %(default)s)"
    )
    parser.add_argument(
        "--load", type=whole_number(0), default=0, metavar="N", help="CPU-bound processes beside it (default: 0)"
    )
    parser.add_argument(
        "--scenario", type=Path, metavar="DIR", help="scenario folder with the truth, for the musical delay"
    )
    parser.add_argument("--plot", type=Path, metavar="F.png", help="write histograms")
    parser.add_argument("--json", type=Path, metavar="F.json", help="write the figures")
    EngineOptions.add_arguments(parser)


def options_of(values: argparse.Namespace) -> LatencyOptions:
    """Take what was parsed."""
    return LatencyOptions(
        values.cache,
        values.piano,
        values.seconds,
        values.block,
        values.load,
        values.scenario,
        values.plot,
        values.json,
        EngineOptions.of(values),
    )


def run(options: LatencyOptions) -> int:
    """Carry out the command."""
    from follower.evaluation.latency.delays import Figures
    from follower.evaluation.latency.histograms import plot_delays
    from follower.files.writable import check_file, check_picture

    check_file(options.json)
    check_picture(options.plot)
    measured, emitted = _measure(options)
    figures = {
        "compute": Figures.of(measured.compute_ms),
        "compute_cpu": Figures.of(measured.compute_cpu_ms),
        "osc": Figures.of(measured.osc_ms),
        "websocket": Figures.of(measured.websocket_ms),
    }
    musical = _musical(options.scenario, emitted) if options.scenario is not None else None
    _print(figures, musical, measured.positions, options.load)
    if options.json is not None:
        document: dict[str, Any] = {name: asdict(f) for name, f in figures.items()}
        document |= {"positions": measured.positions, "load": options.load}
        document |= {"musical": asdict(musical)} if musical is not None else {}
        try:
            options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        except OSError as e:
            raise OutputError(f"cannot write {options.json}: {e.strerror or e}; choose a file you may write") from e
    if options.plot is not None:
        title = f"{options.piano.name}, {options.engine.method}, {options.load} busy processes beside it"
        plot_delays(measured, options.plot, title)
    return 0


def _measure(options: LatencyOptions) -> tuple[Delays, Emitted]:
    """Run in real time into a receiver in another process."""
    from follower.commands.follow import interruptible, low_jitter, warm_up
    from follower.engine import Engine
    from follower.evaluation.latency.delays import delays
    from follower.evaluation.latency.load import cpu_load
    from follower.evaluation.latency.probes import Emitted, TimedSource
    from follower.evaluation.latency.receiver_process import ReceiverProcess
    from follower.files.source import FileSource
    from follower.osc.sink import OscSink
    from follower.piece.reading import load_piece
    from follower.session.controls import ControlQueue
    from follower.session.runner import run as run_session
    from follower.websocket.sink import WebSocketSink

    piece = load_piece(options.cache)
    emitted = Emitted()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(TimedSource(FileSource(options.piano, options.block_samples), options.duration_s))
        engine = Engine(piece, source.sample_rate_hz, options.engine.method, options.engine.start_s)
        warm_up(options.engine.method)
        websocket = stack.enter_context(WebSocketSink(0, ControlQueue()))
        receiver = ReceiverProcess(websocket.port)
        osc = stack.enter_context(OscSink([Address(LOOPBACK, receiver.osc_port)]))
        stack.enter_context(interruptible(source.stop))
        stack.enter_context(cpu_load(options.load))
        stack.enter_context(low_jitter())
        run_session(source, engine, [osc, websocket], on_event=emitted.note)
    return delays(source, emitted, receiver.finish()), emitted


def _musical(scenario: Path, emitted: Emitted) -> Musical:
    import numpy as np

    from follower.evaluation.latency.musical import musical_delay
    from follower.evaluation.scenario import load_scenario

    truth = load_scenario(scenario).truth
    known = [p for p in emitted.positions if p.orchestra_time_s is not None]
    return musical_delay(
        np.array([p.audio_time_s for p in known]),
        np.array([p.orchestra_time_s for p in known]),
        np.array([p.rate for p in known]),
        truth.piano_s,
        truth.orchestra_s,
    )


def _print(figures: dict[str, Figures], musical: Musical | None, positions: int, load: int) -> None:
    print(f"{positions} positions in real time, {load} busy processes beside it")
    table = make_table(["ms"], ["count", "p50", "p95", "p99", "max", "p99 target"])
    for name, f in figures.items():
        target_ms = TARGETS_MS.get(name)
        met = "" if target_ms is None else f"{target_ms:g} {'met' if f.p99_ms < target_ms else 'MISSED'}"
        table.add_row(name, str(f.count), *(f"{ms:.2f}" for ms in (f.p50_ms, f.p95_ms, f.p99_ms, f.max_ms)), met)
    print_table(table)
    if musical is not None:
        print(
            f"musical delay over {musical.count} positions: bias {musical.bias_ms:+.1f} ms, "
            f"best-fitting lag {musical.lag_ms:+.1f} ms (positive is behind the pianist)"
        )
