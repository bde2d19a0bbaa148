"""The engine on the demo's piano: any chunking, gaps, broken samples, commands, another rate."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from numpy.typing import NDArray

from follower.config import PrepConfig
from follower.engine import MAX_COAST_S, Engine
from follower.errors import InputError
from follower.evaluation.scenario import Scenario, load_scenario
from follower.events import AudioBlock, Event, Gap, Notice, Position, State, StateChange
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.protocol.commands import Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.session.runner import run
from follower.signal.features import FeatureFrames, FeatureStream
from follower.testing import ListSink, ScriptedSource, assemble_piece

RATE_HZ = 22050
DELAY_S = 5.0
"""The orchestra recording of these tests is the mix without its first five seconds."""


@pytest.fixture(scope="module")
def piece(short_demo: Path) -> Piece:
    mix, rate = soundfile.read(short_demo / "po.wav", dtype="float32")
    f: FeatureFrames = FeatureStream(PrepConfig().features, rate).extract(mix)
    seconds = len(mix) / rate
    mix_map = MixMap([0.0, 0.0, seconds - DELAY_S], [0.0, DELAY_S, seconds], np.ones(3))
    features = StreamFeatures(f.pitch, f.mfcc, f.rms)
    return assemble_piece(mix_map, mix=features, orchestra=features, sample_rate_hz=rate)


@pytest.fixture(scope="module")
def piano(short_demo: Path) -> NDArray[np.float32]:
    samples, rate = soundfile.read(short_demo / "p.wav", dtype="float32")
    return np.asarray(soxr.resample(samples, rate, RATE_HZ, quality="HQ"), np.float32)


@pytest.fixture(scope="module")
def truth(short_demo: Path) -> Scenario:
    return load_scenario(short_demo)


def _run(engine: Engine, audio: NDArray[np.float32], cuts: list[int]) -> list[Event]:
    bounds = [0, *sorted(min(c, len(audio)) for c in cuts), len(audio)]
    events = [e for a, b in pairwise(bounds) for e in engine.process(AudioBlock(a, audio[a:b]))]
    return [*events, *engine.finish()]


def _blocks(n: int, size: int = 512) -> list[int]:
    return list(range(size, n, size))


def _positions(events: list[Event]) -> list[Position]:
    return [e for e in events if isinstance(e, Position)]


def _mix_error_s(position: Position, truth: Scenario) -> float:
    assert position.mix_time_s is not None
    return abs(position.mix_time_s - float(np.interp(position.audio_time_s, truth.truth.piano_s, truth.truth.mix_s)))


def test_it_follows(piece: Piece, piano: NDArray[np.float32], truth: Scenario) -> None:
    events = _run(Engine(piece, RATE_HZ), piano, _blocks(len(piano)))
    end = truth.truth.piano_s[-1]
    sure = [p for p in _positions(events) if truth.truth.piano_s[0] + 4 < p.audio_time_s < end]
    assert len(sure) > 200
    assert np.median([_mix_error_s(p, truth) for p in sure]) < 0.1
    assert all(
        p.orchestra_time_s == pytest.approx(max(p.mix_time_s - DELAY_S, 0), abs=0.2) for p in sure if p.mix_time_s
    )
    assert [e.state for e in events if isinstance(e, StateChange)][-1] is State.ENDED


@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(0, 6 * RATE_HZ), max_size=40))
def test_random_chunks_give_the_same_events(piece: Piece, piano: NDArray[np.float32], cuts: list[int]) -> None:
    audio = piano[: 6 * RATE_HZ]
    assert _run(Engine(piece, RATE_HZ), audio, cuts) == _run(Engine(piece, RATE_HZ), audio, [])


def test_reset_equals_fresh(piece: Piece, piano: NDArray[np.float32]) -> None:
    audio = piano[: 6 * RATE_HZ]
    engine = Engine(piece, RATE_HZ)
    first = _run(engine, audio, _blocks(len(audio)))
    engine.reset()
    assert _run(engine, audio, _blocks(len(audio))) == first


def test_another_rate_claims_the_same(piece: Piece, piano: NDArray[np.float32], truth: Scenario) -> None:
    audio = np.asarray(soxr.resample(piano, RATE_HZ, 48000, quality="HQ"), np.float32)
    events = _run(Engine(piece, 48000), audio, _blocks(len(audio), 480))
    end = truth.truth.piano_s[-1]
    errors = [_mix_error_s(p, truth) for p in _positions(events) if truth.truth.piano_s[0] + 4 < p.audio_time_s < end]
    assert np.median(errors) < 0.1


def test_lost_audio_is_reported_and_bridged(piece: Piece, piano: NDArray[np.float32], truth: Scenario) -> None:
    engine = Engine(piece, RATE_HZ)
    lost_from, lost_to = 9 * RATE_HZ, round(9.6 * RATE_HZ)
    events = engine.process(AudioBlock(0, piano[:lost_from]))
    events += engine.process(AudioBlock(lost_to, piano[lost_to : 12 * RATE_HZ]))
    (gap,) = [e for e in events if isinstance(e, Gap)]
    assert (gap.audio_sample, gap.lost_samples) == (lost_to, lost_to - lost_from)
    assert _positions(events)[-1].audio_time_s == pytest.approx(12, abs=0.05)
    assert _mix_error_s(_positions(events)[-1], truth) < 0.2


def test_a_stream_may_begin_at_any_count(piece: Piece, piano: NDArray[np.float32]) -> None:
    offset = 10**9
    plain = _positions(Engine(piece, RATE_HZ).process(AudioBlock(0, piano[: 5 * RATE_HZ])))
    late = Engine(piece, RATE_HZ).process(AudioBlock(offset, piano[: 5 * RATE_HZ]))
    assert not any(isinstance(e, Gap) for e in late)
    assert [p.audio_sample - offset for p in _positions(late)] == [p.audio_sample for p in plain]
    assert [p.orchestra_time_s for p in _positions(late)] == [p.orchestra_time_s for p in plain]


def test_blocks_out_of_order_are_refused(piece: Piece) -> None:
    engine = Engine(piece, RATE_HZ)
    engine.process(AudioBlock(0, np.zeros(1000, np.float32)))
    with pytest.raises(InputError, match="starts at sample 500, but 1000 samples"):
        engine.process(AudioBlock(500, np.zeros(10, np.float32)))


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((512, 2), np.float32),
        np.zeros(512, np.int16),
        np.zeros(512, np.float64),
        np.full(512, np.nan, np.float32),
        np.array([0.0, -np.inf], np.float32),
    ],
)
def test_a_block_that_is_not_mono_float32_is_refused_and_counts_as_lost(
    piece: Piece, piano: NDArray[np.float32], samples: NDArray[np.float32]
) -> None:
    engine = Engine(piece, RATE_HZ)
    n, after = 3 * RATE_HZ, 3 * RATE_HZ + len(samples)
    engine.process(AudioBlock(0, piano[:n]))
    with pytest.raises(InputError, match="the block has"):
        engine.process(AudioBlock(n, samples))
    events = engine.process(AudioBlock(after, piano[after : after + 4096]))
    assert [e.lost_samples for e in events if isinstance(e, Gap)] == [len(samples)]


def test_a_source_that_goes_wrong_does_not_end_the_performance(piece: Piece, piano: NDArray[np.float32]) -> None:
    blocks = [AudioBlock(at, piano[at : at + 512].copy()) for at in range(0, 6 * RATE_HZ, 512)]
    for block in blocks[50:90:2]:
        block.samples[7] = np.nan
    sink = ListSink()
    run(ScriptedSource(list(blocks), RATE_HZ), Engine(piece, RATE_HZ), [sink])
    assert len([e for e in sink.events if isinstance(e, Notice) and "audio refused" in e.message]) == 1
    assert sum(isinstance(e, Gap) for e in sink.events) == 20
    assert _positions(sink.events)[-1].audio_time_s > 5.9


@pytest.mark.parametrize("value", [1e30, -3e38])
def test_broken_samples_do_not_break_it(piece: Piece, piano: NDArray[np.float32], value: float) -> None:
    audio = piano[: 8 * RATE_HZ].copy()
    audio[RATE_HZ::5000] = value
    for p in _positions(_run(Engine(piece, RATE_HZ), audio, _blocks(len(audio)))):
        assert p.orchestra_time_s is None or np.isfinite(p.orchestra_time_s)
        assert np.isfinite(p.rate)


def test_silence_and_noise_claim_nothing(piece: Piece) -> None:
    rng = np.random.default_rng(0)
    quiet = np.zeros(4 * RATE_HZ, np.float32)
    hiss = (0.01 * rng.standard_normal(6 * RATE_HZ)).astype(np.float32)
    claps = quiet.copy()
    for at in rng.integers(RATE_HZ, 3 * RATE_HZ, 60):
        claps[at : at + 400] += (0.3 * rng.standard_normal(400) * np.exp(-np.arange(400) / 80)).astype(np.float32)
    for audio in (quiet, hiss, claps):
        events = _run(Engine(piece, RATE_HZ), audio, _blocks(len(audio)))
        assert {p.orchestra_time_s for p in _positions(events)} == {None}
        assert {p.state for p in _positions(events)} == {State.WAITING}


def _chords(held_s: int, decay_per_s: float) -> NDArray[np.float32]:
    """Room noise and two chords to try the piano, a second of silence apart."""
    at = np.arange(held_s * RATE_HZ) / RATE_HZ
    tones = [440 * 2 ** ((midi - 69) / 12) for midi in (60, 64, 67)]
    beating = [hz * off for hz in tones for off in (1.0, 1.002)]
    chord = sum(np.sin(2 * np.pi * hz * k * at) / k for hz in beating for k in (1, 2, 3)) * np.exp(-decay_per_s * at)
    room = np.random.default_rng(0).standard_normal(10 * RATE_HZ).astype(np.float32) * np.float32(1e-4)
    for begin_s in (2, 2 + held_s + 1):
        room[begin_s * RATE_HZ :][: len(chord)] += (0.1 * chord).astype(np.float32)
    return room


@pytest.mark.parametrize(("held_s", "decay_per_s"), [(1, 4.0), (3, 0.7)])
def test_test_chords_do_not_begin_the_piece(
    piece: Piece, piano: NDArray[np.float32], truth: Scenario, held_s: int, decay_per_s: float
) -> None:
    room = _chords(held_s, decay_per_s)
    engine = Engine(piece, RATE_HZ)
    waiting = _positions(engine.process(AudioBlock(0, room)))
    assert {(p.orchestra_time_s, p.state) for p in waiting} == {(None, State.WAITING)}
    last = _positions(engine.process(AudioBlock(len(room), piano[: 12 * RATE_HZ])))[-1]
    assert last.mix_time_s == pytest.approx(float(np.interp(12.0, truth.truth.piano_s, truth.truth.mix_s)), abs=0.2)


def test_a_test_chord_before_a_known_start_is_forgotten(
    piece: Piece, piano: NDArray[np.float32], truth: Scenario
) -> None:
    room = _chords(1, 4.0)
    start_s = float(truth.truth.mix_s[0]) - DELAY_S
    engine = Engine(piece, RATE_HZ, start_s=max(start_s, 0.0))
    waiting = _positions(engine.process(AudioBlock(0, room)))[-1]
    assert (waiting.orchestra_time_s, waiting.state) == (pytest.approx(max(start_s, 0.0), abs=0.05), State.PAUSED)
    last = _positions(engine.process(AudioBlock(len(room), piano[: 12 * RATE_HZ])))[-1]
    assert last.mix_time_s == pytest.approx(float(np.interp(12.0, truth.truth.piano_s, truth.truth.mix_s)), abs=0.2)


def test_a_place_told_before_a_test_chord_is_claimed_again_after_it(piece: Piece) -> None:
    engine = Engine(piece, RATE_HZ)
    engine.command(Seek(3.0))
    positions = _positions(engine.process(AudioBlock(0, _chords(1, 4.0))))
    assert {p.orchestra_time_s is None for p in positions} == {False}
    assert positions[-1].orchestra_time_s == pytest.approx(3.0, abs=0.05)


def test_at_a_known_start_the_orchestra_waits_for_the_first_note(piece: Piece) -> None:
    engine = Engine(piece, RATE_HZ, start_s=3.0)
    positions = _positions(engine.process(AudioBlock(0, np.zeros(RATE_HZ, np.float32))))
    assert {p.state for p in positions} == {State.PAUSED}
    assert {p.rate for p in positions} == {0.0}
    assert [p.orchestra_time_s for p in positions] == pytest.approx([3.0] * len(positions))


@pytest.mark.parametrize("start_s", [-1.0, 1e6, float("nan")])
def test_a_start_outside_the_recording_is_refused(piece: Piece, start_s: float) -> None:
    with pytest.raises(InputError, match="outside the orchestra recording"):
        Engine(piece, RATE_HZ, start_s=start_s)


def test_pause_holds_and_resume_goes_on(piece: Piece, piano: NDArray[np.float32], truth: Scenario) -> None:
    engine = Engine(piece, RATE_HZ)
    stop = 9 * RATE_HZ
    before = _positions(engine.process(AudioBlock(0, piano[:stop])))[-1]
    engine.command(Pause())
    idle = _positions(engine.process(AudioBlock(stop, piano[: 2 * RATE_HZ])))
    assert {p.state for p in idle} == {State.PAUSED}
    assert {p.orchestra_time_s for p in idle} == {before.orchestra_time_s}
    assert {p.rate for p in idle} == {0.0}
    engine.command(Resume())
    after = engine.process(AudioBlock(stop + 2 * RATE_HZ, piano[stop : 13 * RATE_HZ]))
    last = _positions(after)[-1]
    assert last.state is State.FOLLOWING
    want = float(np.interp(last.audio_time_s - 2, truth.truth.piano_s, truth.truth.mix_s))
    assert last.mix_time_s == pytest.approx(want, abs=0.3)


def test_resume_without_pause_changes_nothing(piece: Piece, piano: NDArray[np.float32]) -> None:
    audio = piano[: 6 * RATE_HZ]
    engine = Engine(piece, RATE_HZ)
    assert engine.command(Resume()) == []
    assert _run(engine, audio, []) == _run(Engine(piece, RATE_HZ), audio, [])


def test_stop_throws_audio_away_and_says_so_and_start_is_a_fresh_engine(
    piece: Piece, piano: NDArray[np.float32]
) -> None:
    audio = piano[: 3 * RATE_HZ]
    engine = Engine(piece, RATE_HZ)
    engine.process(AudioBlock(0, audio))
    (notice,) = engine.command(Stop())
    assert isinstance(notice, Notice)
    assert notice.audio_sample == len(audio)
    assert engine.process(AudioBlock(len(audio), audio)) == []
    assert engine.command(Resume()) == []
    assert engine.process(AudioBlock(2 * len(audio), audio)) == [], "only start ends a stop"
    assert engine.command(Start()) == []
    assert _run(engine, audio, []) == _run(Engine(piece, RATE_HZ), audio, [])


def test_start_ends_a_pause(piece: Piece, piano: NDArray[np.float32]) -> None:
    audio = piano[: 3 * RATE_HZ]
    engine = Engine(piece, RATE_HZ)
    engine.command(Pause())
    engine.command(Start())
    assert _run(engine, audio, []) == _run(Engine(piece, RATE_HZ), audio, [])


def test_seek_claims_the_place(piece: Piece, piano: NDArray[np.float32]) -> None:
    engine = Engine(piece, RATE_HZ)
    engine.process(AudioBlock(0, piano[: 8 * RATE_HZ]))
    engine.command(Seek(2.0))
    quiet = _positions(engine.process(AudioBlock(8 * RATE_HZ, np.zeros(2000, np.float32))))
    assert quiet[-1].orchestra_time_s == pytest.approx(2.0, abs=0.7)  # the last notes still ring


@pytest.mark.parametrize("place", [-0.1, 1e9, float("nan")])
def test_seek_outside_the_recording_is_refused(piece: Piece, place: float) -> None:
    with pytest.raises(InputError, match="outside the orchestra recording"):
        Engine(piece, RATE_HZ).command(Seek(place))


@pytest.mark.parametrize("command", [PlaybackPosition(0.0, 1e308), PlaybackPosition(1e308), PlaybackPosition(-1.0)])
def test_a_command_beyond_the_schemas_bounds_is_refused_and_the_performance_goes_on(
    piece: Piece, piano: NDArray[np.float32], command: PlaybackPosition
) -> None:
    engine = Engine(piece, RATE_HZ)
    n = 3 * RATE_HZ
    events = engine.process(AudioBlock(0, piano[:n]))
    with pytest.raises(InputError, match="bounds"):
        engine.command(command)
    events += engine.process(AudioBlock(n, piano[n : 2 * n]))
    assert events == _run(Engine(piece, RATE_HZ), piano[: 2 * n], [])[: len(events)]


def test_gaps_cost_no_more_work_than_audio_does(piece: Piece, piano: NDArray[np.float32]) -> None:
    """However many samples a client says it lost: the belief coasts unheard only about as long as it has heard."""
    engine = Engine(piece, RATE_HZ)
    heard = piano[: 8 * RATE_HZ]
    engine.process(AudioBlock(0, heard))
    coasted: list[int] = []
    original = engine._frontier.coast

    def count(hops: int) -> None:
        coasted.append(hops)
        original(hops)

    engine._frontier.coast = count  # type: ignore[method-assign]
    n = len(heard)
    for k in range(300):
        n += 10**9
        engine.process(AudioBlock(n, piano[64 * k : 64 * k + 64]))
        n += 64
    assert coasted, "the first gap is bridged"
    assert sum(coasted) * engine._hop_s <= MAX_COAST_S + 300 * 64 / RATE_HZ + 0.1


def test_a_gap_after_as_much_music_is_bridged_in_full(piece: Piece, piano: NDArray[np.float32]) -> None:
    engine = Engine(piece, RATE_HZ)
    engine.process(AudioBlock(0, piano[: 8 * RATE_HZ]))
    coasted: list[int] = []
    engine._frontier.coast = coasted.append  # type: ignore[assignment]
    for first_s in (10, 13):  # two seconds lost, one heard, two lost
        engine.process(AudioBlock(first_s * RATE_HZ, piano[first_s * RATE_HZ : (first_s + 1) * RATE_HZ]))
    assert sum(coasted) * engine._hop_s == pytest.approx(4.0, abs=0.05)
