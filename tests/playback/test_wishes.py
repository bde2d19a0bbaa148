"""What a person asks of the orchestra: lead-in and clicks, tempo limits, level; for all outputs of a session."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.events import State
from follower.playback.desk import Desk
from follower.playback.followed_player import FollowedPlayer
from follower.playback.player import OrchestraPlayer
from follower.playback.prelude import CLICK_S, GRACE_S, SILENCE_S
from follower.playback.recording import OrchestraRecording
from follower.playback.stretchers import make_stretcher
from follower.playback.wishes import Prelude, Wishes
from tests.playback.playback_simulation import position, position_player, silent_recording

RATE_HZ = 8000


def play(player: OrchestraPlayer, seconds: float, begin_s: float = 0.0) -> tuple[list[float], list[float | None]]:
    """Instants of the blocks, and the positions they begin at."""
    at_s, positions = [], []
    n = 0
    while n < seconds * RATE_HZ:
        at_s.append(begin_s + n / RATE_HZ)
        n += len(player.block(at_s[-1]))
        positions.append(player.block_position_s)
    return at_s, positions


def test_the_orchestra_leads_in_up_to_where_the_pianist_begins() -> None:
    player = position_player(silent_recording(60.0))
    player.on_event(position(0.0, 20.0, 0.0, State.PAUSED), 0.0)
    player.play_prelude(Prelude(20.0, lead_in_s=4.0))
    at_s, positions = play(player, 8.0)
    sounding = [(t, p) for t, p in zip(at_s, positions, strict=True) if p is not None]
    assert sounding[0] == (pytest.approx(SILENCE_S, abs=0.05), pytest.approx(16.0, abs=0.05))
    assert sounding[-1][1] == pytest.approx(20.0 + GRACE_S, abs=0.1), "nobody came in: it waits"
    assert np.diff([p for _, p in sounding]) == pytest.approx(np.diff([t for t, _ in sounding]), abs=1e-6)
    assert player.prelude is None


def test_a_pianist_who_comes_in_is_followed_without_a_gap() -> None:
    player = position_player(silent_recording(60.0))
    player.on_event(position(0.0, 20.0, 0.0, State.PAUSED), 0.0)
    player.play_prelude(Prelude(20.0, lead_in_s=2.0))
    play(player, SILENCE_S + 1.9)
    for n in range(0, 4 * RATE_HZ, player.block_samples):
        at_s = SILENCE_S + 1.9 + n / RATE_HZ
        player.on_event(position(at_s, 20.0 + (at_s - SILENCE_S - 2.0), 1.0), at_s)
        player.block(at_s)
        assert player.block_position_s is not None, "it never stopped"
    assert player.prelude is None and player.counts.jumps == 0


def test_clicks_are_heard_in_time_and_then_the_piano_alone() -> None:
    player = position_player(silent_recording(60.0))
    player.play_prelude(Prelude(20.0, clicks=4, beats_per_minute=120.0))
    sound = np.concatenate([player.block(n * player.block_samples / RATE_HZ)[:, 0] for n in range(800)])
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    begins = loud[np.flatnonzero(np.diff(loud, prepend=-RATE_HZ) > CLICK_S * RATE_HZ)]
    assert begins / RATE_HZ == pytest.approx(SILENCE_S + 0.5 * np.arange(4), abs=0.005)
    assert player.prelude is None


@pytest.mark.parametrize(
    ("rate", "limits", "played"), [(1.0, (0.4, 0.8), 0.8), (0.7, (0.9, 1.2), 0.9), (1.0, (0.9, 1.2), 1.0)]
)
def test_the_orchestra_keeps_within_its_tempo_limits(rate: float, limits: tuple[float, float], played: float) -> None:
    player = position_player(silent_recording(60.0))
    player.wishes = Wishes(slowest=limits[0], fastest=limits[1])
    rates = []
    for n in range(0, 6 * RATE_HZ, player.block_samples):
        at_s = n / RATE_HZ
        player.on_event(position(at_s, 5.0 + rate * at_s, rate), at_s)
        player.block(at_s)
        rates.append(player.control.rate)
    assert player.counts.entries == 1 and player.counts.jumps == 0, "it does not jump after the pianist"
    assert np.mean(rates[len(rates) // 2 :]) == pytest.approx(played, abs=0.01)


def steady(hz: float, seconds: float = 20.0) -> OrchestraRecording:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return OrchestraRecording.from_samples((0.1 * np.sin(2 * np.pi * hz * t)).astype(np.float32), RATE_HZ)


def heard(player: OrchestraPlayer, begin_s: float, seconds: float) -> NDArray[np.float32]:
    blocks = []
    n = 0
    while n < seconds * RATE_HZ:
        at_s = begin_s + n / RATE_HZ
        player.on_event(position(at_s, 1.0 + at_s), at_s)
        blocks.append(player.block(at_s)[:, 0])
        n += len(blocks[-1])
    return np.concatenate(blocks)


def test_the_level_changes_without_a_click() -> None:
    recording = steady(440.0)
    player = OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording))
    loud = heard(player, 0.0, 3.0)
    player.wishes = Wishes(volume_db=-20.0)
    changed = heard(player, 3.0, 2.0)
    assert np.abs(changed[-RATE_HZ:]).max() == pytest.approx(0.1 * np.abs(loud[-RATE_HZ:]).max(), rel=0.05)
    assert np.abs(np.diff(changed)).max() <= 1.05 * np.abs(np.diff(loud[-RATE_HZ:])).max()


def test_outputs_of_a_desk_are_asked_for_the_same() -> None:
    desk = Desk(Wishes(volume_db=-6.0))
    first, second = (FollowedPlayer(position_player(silent_recording(60.0))) for _ in range(2))
    desk.attach(first)
    desk.wish(fastest=0.8)
    desk.attach(second, streamed=True)
    assert first.player.wishes == second.player.wishes == Wishes(volume_db=-6.0, fastest=0.8)
    taken: list[float] = []
    desk.tap(lambda at_s, sound, rate_hz: taken.append(at_s))
    for followed in (first, second):
        followed.block(1.0)
    assert taken == [1.0], "only one output is recorded"
    desk.detach(first)
    second.block(2.0)
    assert taken == [1.0, 2.0]
    desk.play_prelude(Prelude(20.0, lead_in_s=2.0))
    second.take_events()
    assert desk.prelude == Prelude(20.0, lead_in_s=2.0)
    assert desk.streamed_sound(2.0) is not None
    desk.detach(second)
    assert desk.streamed_sound(2.0) is None and desk.prelude is None
