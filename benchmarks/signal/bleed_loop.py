#!/usr/bin/env python3
"""The closed loop with loudspeakers: follower, player, loudspeaker, room, microphone, follower.

    python -m benchmarks.signal.bleed_loop SCENARIO... --caches DIR [--level DB ...] [--mode NAME ...]
        [--json F] [--record]

The microphone receives the pianist's recording and, through a loudspeaker and a room, what the player sounds at that
moment: it plays after the engine's own estimates, with its own control loop and with positions that reach it 50 ms
late, as in a live session, its wrong positions, jumps and silences included. Levels are those of the orchestra's
passage relative to the piano's, both over their sounding parts. Modes:

| mode | does |
|---|---|
| off | the canceller takes the loudspeakers to be silent: nothing is subtracted |
| estimates | it takes the loudspeakers to play the engine's estimates (a session without `playback`) |
| reported | the player reports what sounds, before every block of the microphone (23 ms) |
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from benchmarks.results import add_option, record
from follower import kernels
from follower.demo.synth import add_room
from follower.engine import Engine
from follower.errors import FollowerError
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.behaviour import behaviour
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems.outcome import Outcome
from follower.evaluation.table import ALL, behaviour_text, error_table, pools, to_json
from follower.events import AudioBlock, Event, Position, StateChange
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording
from follower.playback.render import OUTPUT_LATENCY_S
from follower.playback.stretchers import DEFAULT_STRETCHER, make_stretcher
from follower.protocol.commands import PlaybackPosition
from follower.terminal import print_table
from offline_prep.audio import load_recording, resample

MODES = ("off", "estimates", "reported")
LEVELS_DB = (-15.0, -3.0, 3.0)
ROOM_S = 0.6
"""Reverberation time."""
DISTANCE_S = 0.003
"""A metre from the loudspeaker to the microphone."""
PLAYER_BLOCKS = 4
"""In a block of the microphone; together they are shorter than the way of a position to the player."""

Samples = NDArray[np.float64]


class Loudspeaker:
    """A loudspeaker (120 Hz to 8 kHz) in a room, block by block."""

    def __init__(self, sample_rate_hz: int, seed: int = 3) -> None:
        self._sos = signal.butter(2, (120, 8000), "bandpass", fs=sample_rate_hz, output="sos")
        self._zi = np.zeros((len(self._sos), 2))
        impulse = np.zeros(int((ROOM_S + DISTANCE_S) * sample_rate_hz))
        impulse[int(DISTANCE_S * sample_rate_hz)] = 1.0
        self._response = add_room(impulse, sample_rate_hz, ROOM_S, -4.0, np.random.default_rng(seed))
        self._ringing = np.zeros(len(impulse) - 1)

    def process(self, samples: Samples) -> Samples:
        """What arrives at the microphone while these samples are played, shape like `samples`."""
        played, self._zi = signal.sosfilt(self._sos, samples, zi=self._zi)
        arriving = signal.oaconvolve(played, self._response)
        arriving[: len(self._ringing)] += self._ringing
        self._ringing = arriving[len(samples) :]
        return np.asarray(arriving[: len(samples)])


def level(samples: Samples, sample_rate_hz: int) -> float:
    """RMS of the sounding parts: 0.2 s blocks within 20 dB of the loudest."""
    n = sample_rate_hz // 5
    power = np.mean(samples[: len(samples) // n * n].reshape(-1, n) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power > 0.01 * power.max()])))


def closed_loop(
    engine: Engine, piano: Samples, recording: OrchestraRecording, gain: float, mode: str
) -> list[Position | StateChange]:
    """Follow the piano with the orchestra in the microphone; both at the engine's rate.

    Args:
        engine: fresh.
        piano: the pianist alone.
        recording: of the orchestra.
        gain: of the loudspeaker; 0 is headphones.
        mode: one of `MODES`.
    """
    rate_hz = engine.sample_rate_hz
    player = OrchestraPlayer(recording, lambda: make_stretcher(DEFAULT_STRETCHER, recording))
    speaker = Loudspeaker(rate_hz)
    n = PLAYER_BLOCKS * player.block_samples
    events: list[Position | StateChange] = []
    delivered = 0
    if mode == "off":
        engine.command(PlaybackPosition(0.0, 0.0))

    def keep(new: list[Event]) -> None:
        events.extend(e for e in new if isinstance(e, Position | StateChange))

    for begin in range(0, len(piano) - n + 1, n):
        sound = np.zeros(n)
        for k in range(PLAYER_BLOCKS):
            first = k * player.block_samples
            at_s = (begin + first) / rate_hz
            while delivered < len(events) and events[delivered].audio_sample / rate_hz <= at_s - OUTPUT_LATENCY_S:
                player.on_event(events[delivered], events[delivered].audio_sample / rate_hz)
                delivered += 1
            sound[first : first + player.block_samples] = player.block(at_s)[:, 0]
            if mode == "reported" and k == 0:
                position_s = player.block_position_s
                engine.command(
                    PlaybackPosition(0.0, 0.0)
                    if position_s is None
                    else PlaybackPosition(position_s, player.control.rate)
                )
        microphone = piano[begin : begin + n] + gain * speaker.process(sound)
        keep(engine.process(AudioBlock(begin, microphone.astype(np.float32))))
    keep(engine.finish())
    return events


def measured(scenario: Scenario, events: list[Position | StateChange], compute_s: float) -> Outcome:
    """The live metric on the estimates."""
    positions = [e for e in events if isinstance(e, Position)]
    rows = np.array(
        [
            (p.audio_time_s, np.nan if p.orchestra_time_s is None else p.orchestra_time_s, p.rate, p.confidence)
            for p in positions
        ]
    ).reshape(-1, 4)
    states = np.array([str(p.state) for p in positions], np.str_)
    estimates = Estimates.build(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], states)
    truth = scenario.truth
    newest = estimates.newest(truth.beat_s)
    confidence = np.where(newest >= 0, estimates.confidence[newest], np.nan)
    error = live_errors(estimates, truth.beat_s, truth.beat_orchestra_s)
    return Outcome(error, confidence, behaviour(estimates, truth.piano_s, truth.orchestra_s), compute_s)


def run_scenario(scenario: Scenario, piece: Piece, levels_db: list[float], modes: list[str]) -> dict[str, Outcome]:
    """Every level and mode, and headphones."""
    take = load_recording(scenario.piano)
    rate_hz = take.sample_rate_hz
    piano = take.samples.astype(np.float64)
    source = load_recording(scenario.orchestra)
    orchestra = resample(source.samples, source.sample_rate_hz, rate_hz)
    recording = OrchestraRecording.from_samples(orchestra, rate_hz)
    first, last = (int(f(scenario.truth.orchestra_s) * rate_hz) for f in (np.min, np.max))
    passage_level = level(Loudspeaker(rate_hz).process(orchestra[first:last].astype(np.float64)), rate_hz)
    runs = [("headphones", 0.0, "estimates")] + [
        (f"{db:+g} dB, {mode}", level(piano, rate_hz) / passage_level * 10 ** (db / 20), mode)
        for db in levels_db
        for mode in modes
    ]
    out = {}
    for label, gain, mode in runs:
        begin = time.perf_counter()
        events = closed_loop(Engine(piece, rate_hz), piano, recording, gain, mode)
        out[label] = measured(scenario, events, time.perf_counter() - begin)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", type=Path, nargs="+", metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, required=True, metavar="DIR", help="holds a cache per scenario")
    parser.add_argument("--level", type=float, action="append", metavar="DB", help="default: -15, -3 and 3")
    parser.add_argument("--mode", action="append", choices=MODES, help="repeatable; default: all")
    parser.add_argument("--json", type=Path, metavar="F", help="write everything as JSON, after every scenario")
    add_option(parser)
    args = parser.parse_args()
    kernels.warmup()
    results: dict[str, dict[str, Outcome]] = {}
    try:
        for folder in args.scenarios:
            scenario = load_scenario(folder)
            piece = load_piece(args.caches / scenario.name)
            results[scenario.name] = run_scenario(
                scenario, piece, args.level or list(LEVELS_DB), args.mode or list(MODES)
            )
            print(f"{scenario.name} done", file=sys.stderr, flush=True)
            pooled = pools(results, [])
            if args.json is not None:
                args.json.write_text(json.dumps(to_json(results, pooled, {}), indent=1) + "\n", "utf-8")
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    if args.record:
        record("bleed", to_json(results, pooled, {}))
    print_table(error_table(results, pooled))
    print(behaviour_text(pooled[ALL]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
