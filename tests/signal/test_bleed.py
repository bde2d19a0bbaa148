"""Bleed of the loudspeakers: transfer recovered, untouched without bleed, pauses found, positions reported or not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.engine import Engine
from follower.errors import ConfigError, InputError
from follower.events import AudioBlock, Event, Position, State
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.protocol.commands import PlaybackPosition
from follower.signal.bleed import BleedCanceller, BleedConfig
from follower.signal.features import FeatureStream
from follower.signal.loudspeakers import REPORT_VALID_S, Loudspeakers
from follower.testing import assemble_piece

HOP_S = 512 / 22050
RATE_HZ = 22050


def _notes(n: int, sounding: float, decay: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Amplitudes (n, 88) of chords struck every 10 hops, each semitone with a chance of `sounding`."""
    strikes = (rng.random((n, 88)) < sounding) * rng.uniform(0.3, 1.0, (n, 88))
    strikes[np.arange(n) % 10 != 0] = 0
    out = np.zeros((n, 88))
    for k in range(n):
        out[k] = np.maximum(strikes[k], decay * out[k - 1] if k else 0.0)
    return out.astype(np.float32)


def _room(power: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Interference scatters what arrives by 2 dB."""
    return power * 10 ** rng.normal(0, 0.2, power.shape)


@pytest.fixture(scope="module")
def orchestra() -> NDArray[np.float32]:
    return _notes(1500, 0.3, 0.97, np.random.default_rng(1))


@pytest.fixture(scope="module")
def piano() -> NDArray[np.float32]:
    return _notes(1500, 0.1, 0.85, np.random.default_rng(2))


def _received(piano: NDArray[np.float32], orchestra: NDArray[np.float32], transfer: float) -> NDArray[np.float32]:
    bleed = _room((transfer * orchestra.astype(np.float64)) ** 2, np.random.default_rng(3))
    return np.sqrt(piano.astype(np.float64) ** 2 + bleed).astype(np.float32)


def _through(
    canceller: BleedCanceller, received: NDArray[np.float32], first_hop: int = 0, playing: bool = True
) -> NDArray[np.float32]:
    positions = ((first_hop + k + 1) * HOP_S if playing else None for k in range(len(received)))
    return np.array([canceller.process(x, position) for x, position in zip(received, positions, strict=True)])


@pytest.mark.parametrize("transfer", [0.3, 2.0])
def test_it_recovers_the_transfer(piano: NDArray[np.float32], orchestra: NDArray[np.float32], transfer: float) -> None:
    canceller = BleedCanceller(orchestra, HOP_S)
    _through(canceller, _received(piano, orchestra, transfer))
    found_db = 20 * np.log10(canceller.transfer / transfer)
    assert np.all(np.abs(found_db) < 6)
    assert canceller.share == 1


def test_the_piano_comes_out_closer(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    received = _received(piano, orchestra, 0.5)
    out = _through(BleedCanceller(orchestra, HOP_S), received)
    late = slice(700, None)
    assert np.sum((out[late] - piano[late]) ** 2) < 0.5 * np.sum((received[late] - piano[late]) ** 2)


def test_a_silent_piano_becomes_silent(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    pausing = piano.copy()
    pausing[1000:] = 0
    out = _through(BleedCanceller(orchestra, HOP_S), _received(pausing, orchestra, 0.7))
    level = np.sqrt(np.mean(np.sum(out[700:1000] ** 2, axis=1)))
    amplitude = np.sqrt(np.sum(out[1000:] ** 2, axis=1))
    assert np.mean(amplitude < 0.01 * level) > 0.9


def test_what_fades_out_after_the_player_stopped_is_no_piano(
    piano: NDArray[np.float32], orchestra: NDArray[np.float32]
) -> None:
    """The player's fade, the way to the microphone and the room: none of it wakes the follower from a pause."""
    canceller = BleedCanceller(orchestra, HOP_S)
    received = _received(piano, orchestra, 0.7)
    _through(canceller, received[:1200])
    fading = (0.7 * orchestra[1200] * np.exp(-np.maximum(np.arange(34) - 10, 0)[:, None] / 4)).astype(np.float32)
    assert not _through(canceller, fading, playing=False).any()
    assert _through(canceller, np.ones((1, 88), np.float32), playing=False).any()


def test_louder_bleed_alone_is_silence(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    """What exceeds the prediction only as interference does is no piano."""
    canceller = BleedCanceller(orchestra, HOP_S)
    _through(canceller, _received(piano, orchestra, 0.7)[:-1])
    louder = (1.9 * canceller.transfer * orchestra[-1]).astype(np.float32)
    assert louder.max() > 0.3
    assert not canceller.process(louder, len(orchestra) * HOP_S).any()
    played = louder.copy()
    played[40] += 10 * louder.max()
    assert canceller.process(played, len(orchestra) * HOP_S)[40] > 0.8 * played[40]


def test_loudspeakers_turned_up_later_are_found(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    canceller = BleedCanceller(orchestra, HOP_S, BleedConfig(memory_s=3.0))
    _through(canceller, piano[:700])
    assert canceller.share == 0
    _through(canceller, _received(piano, orchestra, 0.7)[700:], first_hop=700)
    assert canceller.share > 0.9


def test_without_bleed_nothing_changes(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    canceller = BleedCanceller(orchestra, HOP_S)
    assert np.array_equal(_through(canceller, piano), piano)
    assert canceller.share == 0


def test_the_same_chords_are_no_bleed(orchestra: NDArray[np.float32]) -> None:
    """Piano and orchestra in unison, but the piano's notes die away."""
    unison = orchestra * (0.8 ** (np.arange(len(orchestra)) % 10)).astype(np.float32)[:, None] ** 3
    out = _through(BleedCanceller(orchestra, HOP_S), unison)
    assert np.sum((out - unison) ** 2) < 0.02 * np.sum(unison**2)


def test_a_wrong_position_does_no_harm(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    """Where a position is reported at which something else is played, there is nothing to be found there."""
    received = _received(piano, np.roll(orchestra, 700, axis=0), 0.1)
    out = _through(BleedCanceller(orchestra, HOP_S), received)
    assert np.sum((out - received) ** 2) < 0.02 * np.sum(received**2)


def test_bleed_that_ends_is_forgotten(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    """The pianist puts on headphones."""
    canceller = BleedCanceller(orchestra, HOP_S)
    _through(canceller, _received(piano[:700], orchestra[:700], 0.7))
    assert canceller.share == 1
    _through(canceller, piano[700:], first_hop=700)
    assert canceller.share < 0.05


def test_silent_loudspeakers_leave_the_sound_alone(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    canceller = BleedCanceller(orchestra, HOP_S)
    _through(canceller, _received(piano[:700], orchestra[:700], 0.7))
    after = _through(canceller, piano[700:], playing=False)
    ringing = round(canceller._config.decay_s / HOP_S) + 1
    assert np.allclose(after[ringing:], piano[700 + ringing :], atol=2e-3)


def test_reset_equals_fresh(piano: NDArray[np.float32], orchestra: NDArray[np.float32]) -> None:
    received = _received(piano, orchestra, 0.7)[:900]
    fresh = BleedCanceller(orchestra, HOP_S)
    first = _through(fresh, received)
    fresh.reset()
    assert np.array_equal(_through(fresh, received), first)
    assert not np.array_equal(first, received)


def test_positions_outside_the_recording_are_silence(orchestra: NDArray[np.float32]) -> None:
    canceller = BleedCanceller(orchestra, HOP_S)
    for position_s in (-5.0, 0.0, 1e6):
        x = np.ones(88, np.float32)
        assert np.array_equal(canceller.process(x, position_s), x)


@pytest.mark.parametrize("bad", [{"quantile": 0.0}, {"none_below": 0.9}, {"gate_from": 1.0}, {"slack_frames": -1}])
def test_config_is_checked(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        BleedConfig(**bad)  # type: ignore[arg-type]


def _position(state: State, position_s: float | None = 10.0) -> Position:
    return Position(0, 1000, 100, position_s, None, 0.5, 1.0, state)


def test_reported_positions_run_on_and_expire() -> None:
    speakers = Loudspeakers(100)
    assert speakers.position_s(0) is None
    speakers.report(PlaybackPosition(30.0, 1.2), 1000)
    assert speakers.position_s(1100) == pytest.approx(31.2)
    assert speakers.position_s(1000 + 100 * REPORT_VALID_S + 1) is None
    speakers.on_position(_position(State.FOLLOWING))
    assert speakers.position_s(1100) == pytest.approx(31.2), "a report takes precedence"
    speakers.report(PlaybackPosition(31.0, 0.0), 1100)
    assert speakers.position_s(1110) is None
    speakers.reset()
    assert speakers.position_s(1110) is None


def test_without_reports_they_play_what_is_estimated() -> None:
    speakers = Loudspeakers(100)
    for state in (State.FOLLOWING, State.ORCHESTRA):
        speakers.on_position(_position(state))
        assert speakers.position_s(1100) == pytest.approx(10.5)
    for silent in (_position(State.PAUSED), _position(State.LOST), _position(State.FOLLOWING, None)):
        speakers.on_position(silent)
        assert speakers.position_s(1100) is None


SECONDS = 20


@pytest.fixture(scope="module")
def tones() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Piano and orchestra (audio): random tones, those of the piano dying away."""
    rng = np.random.default_rng(5)
    t = np.arange(RATE_HZ // 2) / RATE_HZ

    def play(first: int, decay: float) -> NDArray[np.float32]:
        chords = [
            sum(np.sin(2 * np.pi * 440 * 2 ** ((m - 69) / 12) * t) for m in rng.integers(first, first + 24, 3))
            for _ in range(2 * SECONDS)
        ]
        return np.concatenate([np.asarray(c) * np.exp(-decay * t) for c in chords]).astype(np.float32) * 0.05

    return play(60, 8.0), play(48, 0.5)


@pytest.fixture(scope="module")
def piece(tones: tuple[NDArray[np.float32], NDArray[np.float32]]) -> Piece:
    mix, orchestra = (
        StreamFeatures(f.pitch, f.mfcc, f.rms)
        for f in (FeatureStream(FeatureConfig(), RATE_HZ).extract(x) for x in (tones[0] + tones[1], tones[1]))
    )
    return assemble_piece(MixMap([0.0, SECONDS], [0.0, SECONDS], np.ones(2)), mix=mix, orchestra=orchestra)


def _engine_run(engine: Engine, audio: NDArray[np.float32], bounds: list[int], report_every: int) -> list[Event]:
    """Blocks between bounds; at multiples of `report_every` (bounds too) the position played is reported."""
    events: list[Event] = []
    for a, b in pairwise(bounds):
        if a % report_every == 0:
            events += engine.command(PlaybackPosition(a / RATE_HZ))
        events += engine.process(AudioBlock(a, audio[a:b]))
    return [*events, *engine.finish()]


def test_the_engine_notices_a_pause_behind_the_bleed(
    piece: Piece, tones: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    """The orchestra plays on while the pianist stops; it is reported, and the engine notices the silence."""
    piano, orchestra = tones
    stop = 14 * RATE_HZ
    received = np.concatenate([piano[:stop], np.zeros(len(piano) - stop, np.float32)]) + 0.5 * orchestra
    report_every = 4410
    report_at = sorted({*range(0, len(received), report_every), len(received)})
    cuts = np.random.default_rng(6).integers(0, len(received), 100).tolist()
    engine = Engine(piece, RATE_HZ)
    events = _engine_run(engine, received, report_at, report_every)
    states = {p.state for p in events if isinstance(p, Position) and p.audio_time_s > 16}
    assert states == {State.PAUSED}
    engine.reset()
    assert _engine_run(engine, received, sorted({*report_at, *cuts}), report_every) == events
    engine.reset()
    engine.command(PlaybackPosition(0.0, 0.0))
    deaf = engine.process(AudioBlock(0, received))
    assert State.PAUSED not in {p.state for p in deaf if isinstance(p, Position)}


@pytest.mark.parametrize("bad", [PlaybackPosition(float("nan")), PlaybackPosition(1.0, float("inf"))])
def test_a_position_must_be_a_number_within_bounds(piece: Piece, bad: PlaybackPosition) -> None:
    with pytest.raises(InputError, match="out of bounds"):
        Engine(piece, RATE_HZ).command(bad)
