"""Ring, clocks and volume between player and sound card; the sound card is simulated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.events import State
from follower.playback.limiter import Limiter
from follower.playback.output_buffer import DISPLACED_S, OutputBuffer, SampleRing
from tests.playback.playback_simulation import HOP_SAMPLES, LIVE_RATE_HZ, position, position_player, silent_recording

RATE_HZ = 8000
REQUEST = 256
OUTPUT_LATENCY_S = 0.030


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), max_size=60))
def test_the_ring_is_a_queue_with_silence_behind_it(steps: list[tuple[int, int]]) -> None:
    ring, queue, value = SampleRing(16, 1), [], 0.0
    for write, read in steps:
        write = min(write, 16 - ring.filled)
        frames = np.arange(value, value + write, dtype=np.float32)
        value += write
        queue.extend(frames.tolist())
        ring.write(frames[:, np.newaxis])
        out = np.full((read, 1), -1.0, np.float32)
        missing = ring.take(out)
        expected = [queue.pop(0) for _ in range(min(read, len(queue)))]
        assert missing == read - len(expected)
        assert out[:, 0].tolist() == expected + [0.0] * missing


@pytest.mark.parametrize(
    ("output_ppm", "input_ppm", "minutes"),
    [pytest.param(200.0, 0.0, 30, marks=pytest.mark.untraced), (-200.0, 0.0, 4), (0.0, 200.0, 4)],
)
def test_two_clocks_drift_apart(output_ppm: float, input_ppm: float, minutes: int) -> None:
    """200 ppm over 30 minutes is 360 ms: unmeasured, it would empty the ring or shift the orchestra by as much."""
    rng = np.random.default_rng(3)
    recording = silent_recording(60.0 * minutes + 60, RATE_HZ)
    player = position_player(recording)
    buffer = OutputBuffer(player, REQUEST)
    output_rate_hz = RATE_HZ * (1 + output_ppm * 1e-6)
    input_rate_hz = LIVE_RATE_HZ * (1 + input_ppm * 1e-6)
    out = np.empty((REQUEST, 2), np.float32)
    errors_s, frames, hops, now_s = [], 0, 0, 0.0
    next_callback_s, next_hop_s = 0.0, 0.0
    compared, on_time = 0, True
    while now_s < 60 * minutes:
        if next_callback_s <= next_hop_s:
            now_s = next_callback_s
            sounding_s = now_s + OUTPUT_LATENCY_S
            # Stamps are late by the scheduler's jitter, which nobody knows.
            buffer.consume(out, sounding_s + rng.uniform(0.0, 0.002))
            if out[0, 0] > 0:
                errors_s.append(float(out[0, 0]) - sounding_s)
                compared += 1
            frames += REQUEST
            next_callback_s = frames / output_rate_hz
            # The producer comes after the callback, now and then a whole period (32 ms) late.
            on_time = rng.random() < 0.95 or not on_time
            if on_time:
                buffer.produce()
        else:
            now_s = next_hop_s
            hops += 1
            next_hop_s = hops * HOP_SAMPLES / input_rate_hz
            # A perfect follower: the orchestra stands where the monotonic clock does.
            stamp_s = now_s + rng.uniform(0.0, 0.002)
            buffer.on_event(position(hops * HOP_SAMPLES / LIVE_RATE_HZ, now_s + 1e-9, capture_time_s=stamp_s))
    errors_ms = 1e3 * np.array(errors_s)
    assert compared > 0.99 * frames / REQUEST - 100
    assert buffer.drop_outs == 0
    settled = errors_ms[len(errors_ms) // 100 :]
    assert np.abs(settled).max() < 10.0
    assert player.counts.jumps == 0
    assert player.counts.entries == 1
    # Slower output counts positive.
    assert buffer.drift_ppm == pytest.approx(input_ppm - output_ppm, abs=15)


def test_a_late_producer_is_a_counted_drop_out_and_the_position_is_right_again_after_it() -> None:
    player = position_player(silent_recording(60.0, RATE_HZ))
    buffer = OutputBuffer(player, REQUEST)
    out = np.empty((REQUEST, 2), np.float32)
    now_s, errors_s = 0.0, []
    for k in range(1500):
        now_s = k * REQUEST / RATE_HZ
        buffer.on_event(position(now_s, now_s, capture_time_s=now_s))
        buffer.consume(out, now_s + OUTPUT_LATENCY_S)
        if not 600 <= k < 604:  # 128 ms without the producer
            buffer.produce()
        if out[0, 0] > 0 and out[-1, 0] > 0:
            errors_s.append(float(out[0, 0]) - now_s - OUTPUT_LATENCY_S)
    assert 1 <= buffer.drop_outs <= 4
    assert np.abs(errors_s[-500:]).max() < 0.01


@pytest.mark.parametrize("stall_s", [0.1, 0.5, 2.0, 6.0])
@pytest.mark.parametrize("device_too", [False, True])
def test_the_orchestra_is_back_half_a_second_after_a_stall(stall_s: float, device_too: bool) -> None:
    """The producer, or the whole program with the device's callbacks, stands still; the pianist plays on."""
    buffer = OutputBuffer(position_player(silent_recording(60.0, RATE_HZ)), REQUEST)
    out = np.empty((REQUEST, 2), np.float32)
    begin_s, waiting = 10.0, []
    for k in range(round(25.0 * RATE_HZ / REQUEST)):
        now_s = k * REQUEST / RATE_HZ
        stalls = begin_s <= now_s < begin_s + stall_s
        waiting.append(position(now_s, now_s, capture_time_s=now_s))
        if not (stalls and device_too):
            for event in waiting:
                buffer.on_event(event)
            waiting.clear()
            buffer.consume(out, now_s + OUTPUT_LATENCY_S)
            if not stalls:
                buffer.produce()
        if now_s > begin_s + stall_s + 0.5:
            assert out.min() > 0, "it sounds"
            # A small error is corrected by the tempo, not by a jump.
            assert out[0, 0] == pytest.approx(now_s + OUTPUT_LATENCY_S, abs=0.12 if stall_s < 0.35 else 0.03)
        if now_s > begin_s + stall_s + 2.0:
            assert out[0, 0] == pytest.approx(now_s + OUTPUT_LATENCY_S, abs=0.02)


@pytest.mark.parametrize("thrown_away_s", [0.15, 0.3, 0.7])
def test_after_a_driver_threw_sound_away_the_orchestra_is_right_at_once(thrown_away_s: float) -> None:
    """A sound server that ran dry asks again and again while it recovers, and plays none of what it gets."""
    buffer = OutputBuffer(position_player(silent_recording(60.0, RATE_HZ)), round(0.25 * RATE_HZ))
    out = np.empty((REQUEST, 2), np.float32)
    for k in range(round(14.0 * RATE_HZ / REQUEST)):
        now_s = k * REQUEST / RATE_HZ
        buffer.on_event(position(now_s, now_s, capture_time_s=now_s))
        for _ in range(round(thrown_away_s * RATE_HZ / REQUEST) if k == 320 else 0):
            buffer.consume(out, now_s + OUTPUT_LATENCY_S)
            buffer.produce()
        buffer.consume(out, now_s + OUTPUT_LATENCY_S)
        buffer.produce()
        since_s = (k - 320) * REQUEST / RATE_HZ
        if since_s > 0.2:
            assert out.min() > 0, "it sounds"
            at_s, within_s = now_s + OUTPUT_LATENCY_S, DISPLACED_S if since_s < 2.0 else 0.02
            assert out[0, 0] == pytest.approx(at_s, abs=within_s), "what is left is corrected by the tempo"
            assert buffer.sounding(at_s).orchestra_time_s == pytest.approx(at_s, abs=DISPLACED_S), (
                "so the engine is told"
            )
    assert buffer.drop_outs == 0


def test_after_a_drop_out_more_is_kept_ready_and_when_all_is_well_as_much_as_at_first() -> None:
    buffer = OutputBuffer(position_player(silent_recording(60.0, RATE_HZ)), REQUEST)
    at_first = buffer.kept_ready
    out = np.empty((REQUEST, 2), np.float32)

    def run(begin: int, blocks: int, stalls: bool) -> int:
        for k in range(begin, begin + blocks):
            buffer.consume(out, k * REQUEST / RATE_HZ)
            if not stalls or k % 8 == 0:
                buffer.produce()
        return begin + blocks

    n = run(0, 100, False)
    assert (buffer.drop_outs, buffer.kept_ready) == (0, at_first)
    n = run(n, 40, True)
    assert buffer.drop_outs > 0 and buffer.kept_ready == 2 * at_first
    before = buffer.drop_outs
    n = run(n, round(50 * RATE_HZ / REQUEST), False)
    assert (buffer.drop_outs, buffer.kept_ready) == (before, 2 * at_first)
    run(n, round(20 * RATE_HZ / REQUEST), False)
    assert buffer.kept_ready == at_first


def test_a_slow_sound_card_is_played_faster_by_as_much() -> None:
    player = position_player(silent_recording(60.0, RATE_HZ))
    player.clock_stretch = 1.02
    block_s = 1.02 * player.block_samples / RATE_HZ
    for k in range(1000):
        sounding_s = k * block_s
        player.on_event(position(sounding_s, sounding_s), sounding_s)
        out = player.block(sounding_s)
    # Left to the correction alone, 2 % would need an error of 15 ms.
    assert float(out[0, 0]) == pytest.approx(sounding_s, abs=0.007)


def test_the_limiter_s_delay_is_anticipated() -> None:
    buffer = OutputBuffer(position_player(silent_recording(60.0, RATE_HZ)), REQUEST, -60.0, limiter=Limiter(2, RATE_HZ))
    out = np.empty((REQUEST, 2), np.float32)
    for k in range(120):
        now_s = k * REQUEST / RATE_HZ
        buffer.on_event(position(now_s, now_s, capture_time_s=now_s))
        buffer.consume(out, now_s + OUTPUT_LATENCY_S)
        buffer.produce()
    assert 1e3 * float(out[0, 0]) == pytest.approx(now_s + OUTPUT_LATENCY_S, abs=0.001)


def test_volume_and_balance() -> None:
    player = position_player(silent_recording(60.0, RATE_HZ))
    buffer = OutputBuffer(player, REQUEST, volume_db=-6.0206, balance=0.5)
    out = np.empty((REQUEST, 2), np.float32)
    for k in range(60):
        now_s = k * REQUEST / RATE_HZ
        buffer.on_event(position(now_s, now_s, capture_time_s=now_s))
        buffer.consume(out, now_s + OUTPUT_LATENCY_S)
        buffer.produce()
    position_s = now_s + OUTPUT_LATENCY_S
    assert out[0].tolist() == pytest.approx([0.25 * position_s, 0.5 * position_s], rel=0.01)


def test_silence_until_the_first_position_and_after_the_end() -> None:
    player = position_player(silent_recording(60.0, RATE_HZ))
    buffer = OutputBuffer(player, REQUEST, limiter=Limiter(2, RATE_HZ))
    out = np.empty((REQUEST, 2), np.float32)
    for k in range(120):
        now_s = k * REQUEST / RATE_HZ
        if k >= 20:
            buffer.on_event(
                position(now_s, now_s, state=State.FOLLOWING if k < 60 else State.ENDED, capture_time_s=now_s)
            )
        buffer.consume(out, now_s + OUTPUT_LATENCY_S)
        buffer.produce()
        if k < 20 or k > 80:
            assert float(np.abs(out).max()) == 0.0
    assert player.counts.entries == 1
