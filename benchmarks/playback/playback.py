"""Measure the player: stretch quality, clicks, drift, what a listener hears, and processor time.

    python -m benchmarks.playback.playback quality [--stretcher NAME ...] [--record]
    python -m benchmarks.playback.playback drift [--minutes M] [--ppm P] [--record]
    python -m benchmarks.playback.playback heard CACHE SCENARIO [CACHE SCENARIO ...] [--record]
    python -m benchmarks.playback.playback cpu CACHE PIANO [--stretcher NAME ...] [--record]

`quality` and `drift` need nothing but this project. `heard` follows each scenario's piano, renders the orchestra at
several latencies of the output and compares the position heard at the evaluation beats with the truth, beside the
follower's own estimates. `cpu` is the processor time of follower and player together per second of music, as shares of
one core. With `--record` the result is `benchmarks/results/playback_COMMAND.json`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import hilbert

from benchmarks.results import Row, add_option, print_rows, record
from follower import kernels
from follower.engine import Engine
from follower.errors import FollowerError
from follower.events import Event, Position, Session, State, StateChange
from follower.files.source import FileSource
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from follower.playback.output_buffer import OutputBuffer
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording, load_orchestra
from follower.playback.render import OUTPUT_LATENCY_S, course_of, render
from follower.playback.stretcher import Stretcher
from follower.playback.stretchers import STRETCHERS, make_stretcher
from follower.session.runner import run

QUANTUM = 256
LEVEL = 0.3
RateCurve = Callable[[float], float]
CURVES: dict[str, RateCurve] = {
    "0.4": lambda _t: 0.4,
    "0.6": lambda _t: 0.6,
    "0.8": lambda _t: 0.8,
    "1": lambda _t: 1.0,
    "1.25": lambda _t: 1.25,
    "1.6": lambda _t: 1.6,
    "2": lambda _t: 2.0,
    "2.5": lambda _t: 2.5,
    "0.4-0.9 in 2 s": lambda t: 0.65 + 0.25 * math.sin(math.pi * t / 2),
    "1.1-2.4 in 2 s": lambda t: 1.75 + 0.65 * math.sin(math.pi * t / 2),
    "0.7-1.3 in 5 s": lambda t: 1.0 + 0.3 * math.sin(math.pi * t / 5),
    "0.4-1.6 in 1.5 s": lambda t: 1.0 + 0.6 * math.sin(2 * math.pi * t / 3),
}
TONES_HZ = (55.0, 110.3, 440.7, 1234.5, 5000.0)
TOLERANCES_MS = (50, 100, 200, 500)
LATENCIES_S = (0.02, OUTPUT_LATENCY_S, 0.12, 0.2)
"""Of the output, from the decision to the sound."""


def play(
    stretcher: Stretcher, start: float, rate: RateCurve, duration_s: float, rate_hz: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Samples of the first channel, and the source position before each quantum as rows (output, source sample)."""
    stretcher.start(start, rate(0.0))
    out, positions = [], []
    for n in range(0, round(duration_s * rate_hz), QUANTUM):
        positions.append((n, stretcher.source_sample))
        out.append(stretcher.pull(QUANTUM, rate(n / rate_hz))[:, 0])
    return np.concatenate(out), np.array(positions)


def tone_quality(y: NDArray[np.float32], frequency_hz: float, rate_hz: int) -> tuple[float, float]:
    """Detuning (cents) and amplitude modulation (dB re the level), a quarter second at either edge left out."""
    analytic = hilbert(y.astype(np.float64))[rate_hz // 4 : -rate_hz // 4]
    envelope, phase = np.abs(analytic), np.unwrap(np.angle(analytic))
    found_hz = (phase[-1] - phase[0]) / (len(phase) - 1) * rate_hz / (2 * np.pi)
    modulation = (envelope.max() - envelope.min()) / 2 / envelope.mean()
    return 1200 * float(np.log2(found_hz / frequency_hz)), 20 * float(np.log10(max(modulation, 1e-6)))


def click_errors_ms(stretcher_name: str, rate: RateCurve, rate_hz: int) -> NDArray[np.float64]:
    """When clicks are heard, less when the stretcher's source position passes them (ms)."""
    rng = np.random.default_rng(0)
    x = (1e-4 * rng.standard_normal(16 * rate_hz)).astype(np.float32)
    at = np.arange(round(0.53 * rate_hz), len(x) - rate_hz, round(0.31 * rate_hz))
    for c in at:
        x[c : c + 40] += (0.8 * np.hanning(40) * np.sin(1.2 * np.arange(40))).astype(np.float32)
    recording = OrchestraRecording.from_samples(x, rate_hz)
    y, positions = play(make_stretcher(stretcher_name, recording), 2.0 * rate_hz, rate, 5.0, rate_hz)
    reach, errors = round(0.04 * rate_hz), []
    for expected in np.interp(at, positions[:, 1], positions[:, 0], left=-1, right=-1):
        if not reach < expected < len(y) - 2 * reach:
            continue
        first = int(expected) - reach
        energy = np.convolve(y[first : first + 2 * reach] ** 2, np.ones(40), "same")
        errors.append(1e3 * (first + int(np.argmax(energy)) - 20 - expected) / rate_hz)
    return np.array(errors)


def quality(stretchers: Sequence[str]) -> list[Row]:
    """A row for each sample rate, stretcher and rate curve: the worst of the tones, and the clicks."""
    rows: list[Row] = []
    for rate_hz in (44100, 22050):
        t = np.arange(13 * rate_hz) / rate_hz
        for name in stretchers:
            for label, curve in CURVES.items():
                measured = []
                for f in TONES_HZ:
                    tone = (LEVEL * np.sin(2 * np.pi * f * t)).astype(np.float32)
                    stretcher = make_stretcher(name, OrchestraRecording.from_samples(tone, rate_hz))
                    y, _ = play(stretcher, 2.0 * rate_hz, curve, 3.0, rate_hz)
                    measured.append(tone_quality(y, f, rate_hz))
                cents, modulation_db = np.array(measured).T
                rows.append(
                    {
                        "stretcher": name,
                        "rate": label,
                        "sample_rate_hz": rate_hz,
                        "detuning_cents": round(float(np.abs(cents).max()), 4),
                        "modulation_db": round(float(modulation_db.max()), 1),
                        "clicks_ms": round(float(np.abs(click_errors_ms(name, curve, rate_hz)).max()), 2),
                    }
                )
    return rows


def drift(minutes: float, ppm: float) -> list[Row]:
    """Real sound (8 kHz, so that half an hour takes a minute) against an output clock that is off by `ppm`."""
    rate_hz, request, latency_s = 8000, 256, 0.03
    rng = np.random.default_rng(0)
    n = round((60 * minutes + 20) * rate_hz)
    recording = OrchestraRecording.from_samples((0.1 * rng.standard_normal(n)).astype(np.float32), rate_hz)
    player = OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording))
    buffer = OutputBuffer(player, request)
    out = np.empty((request, 2), np.float32)
    sounded: list[tuple[float, float]] = []
    frames = hops = 0
    begin = time.process_time()
    while frames / rate_hz < 60 * minutes:
        callback_s, hop_s = frames / (rate_hz * (1 + ppm * 1e-6)), hops * 512 / 22050
        if hop_s < callback_s:
            hops += 1
            position = Position(hops, hops * 512, 22050, hop_s, None, 1.0, 0.9, State.FOLLOWING, hop_s)
            buffer.on_event(position)
            continue
        buffer.consume(out, callback_s + latency_s + rng.uniform(0.0, 0.002))
        frames += request
        buffer.produce()
        if player.block_position_s is not None:
            # The newest block is the last in the queue.
            begins = frames + buffer.queued_frames - player.block_samples
            sounded.append((begins / (rate_hz * (1 + ppm * 1e-6)) + latency_s, player.block_position_s))
    at_s, position_s = np.array(sounded).T
    error_ms = 1e3 * (position_s - at_s)[len(at_s) // 100 :]
    return [
        {
            "minutes": minutes,
            "ppm": ppm,
            "found_ppm": round(buffer.drift_ppm, 1),
            "drop_outs": buffer.drop_outs,
            "largest_error_ms": round(float(np.abs(error_ms).max()), 2),
            "entries": player.counts.entries,
            "jumps": player.counts.jumps,
            "cpu_s": round(time.process_time() - begin, 1),
        }
    ]


class Events:
    """A sink that keeps what the player needs."""

    dropped = 0

    def __init__(self) -> None:
        self.events: list[Position | StateChange] = []

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, session: Session) -> None:
        """Nothing to do."""

    def send(self, event: Event) -> None:
        """Keep positions and states."""
        if isinstance(event, Position | StateChange):
            self.events.append(event)


def followed(piece: Piece, piano: Path) -> tuple[list[Position | StateChange], float]:
    sink = Events()
    with FileSource(piano, speed=None) as source:
        run(source, Engine(piece, source.sample_rate_hz), [sink])
        return sink.events, source.duration_s


def estimates_at(events: Sequence[Position | StateChange], beat_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The follower's newest position before each beat, advanced at its rate; infinite before the first."""
    known = [
        (e.audio_time_s, e.orchestra_time_s, e.rate)
        for e in events
        if isinstance(e, Position) and e.orchestra_time_s is not None
    ]
    at_s, position_s, rate = np.array(known, np.float64).reshape(-1, 3).T
    k = np.searchsorted(at_s, beat_s, side="right") - 1
    return np.where(k < 0, np.inf, position_s[k] + rate[k] * (beat_s - at_s[k]))


def shares(error_ms: NDArray[np.float64]) -> Mapping[str, float]:
    """Median and percentages beyond the tolerances."""
    size = np.abs(error_ms)
    over = {f"over_{t}_ms_pct": round(100 * float(np.mean(size > t)), 1) for t in TOLERANCES_MS}
    return {"median_ms": round(float(np.median(size)), 1), **over}


def heard(pairs: Sequence[Path], stretcher: str) -> list[Row]:
    """A row for the follower's estimates and one for what is heard at each latency, over all scenarios."""
    from follower.evaluation.scenario import load_scenario

    estimated: list[NDArray[np.float64]] = []
    sounds: dict[float, list[NDArray[np.float64]]] = {latency_s: [] for latency_s in LATENCIES_S}
    counts = {latency_s: np.zeros(4) for latency_s in LATENCIES_S}
    total_s = 0.0
    for cache_path, folder in zip(pairs[::2], pairs[1::2], strict=True):
        scenario = load_scenario(folder)
        events, duration_s = followed(load_piece(cache_path), scenario.piano)
        total_s += duration_s
        recording = load_orchestra(scenario.orchestra)
        beat_s, target_s = scenario.truth.beat_s, scenario.truth.beat_orchestra_s
        estimated.append(1e3 * (estimates_at(events, beat_s) - target_s))
        for latency_s in LATENCIES_S:
            player = OrchestraPlayer(recording, partial(make_stretcher, stretcher, recording))
            begin = time.process_time()
            course = course_of(list(render(player, events, duration_s, latency_s)))
            cpu_s = time.process_time() - begin
            counts[latency_s] += (player.counts.entries, player.counts.jumps, course.audible_steps(), cpu_s)
            sounds[latency_s].append(1e3 * (course.position_at(beat_s) - target_s))
        print(f"{scenario.name} done", file=sys.stderr, flush=True)
    whole = np.concatenate(estimated)
    size = {"scenarios": len(estimated), "minutes": round(total_s / 60, 1), "beats": len(whole)}
    rows: list[Row] = [{"what": "the follower's positions", **size, **shares(whole)}]
    for latency_s, parts in sounds.items():
        both = np.concatenate(parts)
        sounding = np.isfinite(both)
        entries, jumps, steps, cpu_s = counts[latency_s]
        rows.append(
            {
                "what": f"heard, {1e3 * latency_s:.0f} ms from decision to sound",
                **size,
                **shares(both[sounding]),
                "silent_pct": round(100 * float(np.mean(~sounding)), 1),
                "entries": int(entries),
                "jumps": int(jumps),
                "audible_steps": int(steps),
                "times_real_time": round(total_s / cpu_s, 1),
            }
        )
    return rows


def cpu(cache_path: Path, piano: Path, stretchers: Sequence[str]) -> list[Row]:
    """A row for each format of the orchestra recording and each stretcher."""
    piece = load_piece(cache_path)
    kernels.warmup()
    begin = time.process_time()
    events, duration_s = followed(piece, piano)
    follower_share = (time.process_time() - begin) / duration_s
    recording = load_orchestra(Path(piece.orchestra_file.path))
    rows: list[Row] = []
    for rate_hz in (22050, 44100):
        material = recording if rate_hz == recording.sample_rate_hz else recording.resampled(rate_hz)
        for channels in (1, 2):
            sides = OrchestraRecording(
                np.ascontiguousarray(np.repeat(material.samples[:1], channels, axis=0)), rate_hz, material.attacks
            )
            for name in stretchers:
                player = OrchestraPlayer(sides, partial(make_stretcher, name, sides))
                begin = time.process_time()
                for _ in render(player, events, duration_s):
                    pass
                share = (time.process_time() - begin) / duration_s
                rows.append(
                    {
                        "stretcher": name,
                        "minutes": round(duration_s / 60, 1),
                        "sample_rate_hz": rate_hz,
                        "channels": channels,
                        "follower_pct": round(100 * follower_share, 1),
                        "player_pct": round(100 * share, 1),
                        "both_pct": round(100 * (follower_share + share), 1),
                    }
                )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("quality", "cpu"):
        command = commands.add_parser(name)
        command.add_argument("--stretcher", action="append", choices=tuple(STRETCHERS))
        if name == "cpu":
            command.add_argument("cache", type=Path)
            command.add_argument("piano", type=Path)
    command = commands.add_parser("drift")
    command.add_argument("--minutes", type=float, default=30.0)
    command.add_argument("--ppm", type=float, default=200.0)
    command = commands.add_parser("heard")
    command.add_argument("pairs", type=Path, nargs="+", metavar="CACHE SCENARIO")
    command.add_argument("--stretcher", default="vocoder", choices=tuple(STRETCHERS))
    for command in commands.choices.values():
        add_option(command)
    args = parser.parse_args()
    try:
        match args.command:
            case "quality":
                rows = quality(args.stretcher or list(STRETCHERS))
            case "drift":
                rows = drift(args.minutes, args.ppm)
            case "heard":
                rows = heard(args.pairs, args.stretcher)
            case _:
                rows = cpu(args.cache, args.piano, args.stretcher or list(STRETCHERS))
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    print_rows(rows)
    if args.record:
        record(f"playback_{args.command}", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
