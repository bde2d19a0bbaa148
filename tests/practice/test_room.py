"""The practice partner of a session: what it asks of the engine and the orchestra, what it keeps, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from follower.errors import FollowerError, InputError
from follower.events import AudioBlock, Event, Markers, Notice, Position, Practice, State
from follower.piece.piece import Piece
from follower.playback.desk import Desk
from follower.playback.followed_player import FollowedPlayer
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording
from follower.playback.stretchers import make_stretcher
from follower.playback.wishes import Prelude
from follower.practice.companion import companion_of, kept_recording
from follower.practice.markers import audacity_text, csv_text, read_markers
from follower.practice.overview import overview_of
from follower.practice.room import PracticeRoom
from follower.protocol.commands import Command, PlaybackPosition, Seek
from follower.protocol.practice_commands import (
    Again,
    Begin,
    BeginAt,
    CountIn,
    EndLoop,
    EndRecord,
    LeadIn,
    LeadInBars,
    Loop,
    Mark,
    PracticeCommand,
    Record,
    Tempo,
    Tune,
    Unmark,
    Volume,
)
from follower.session.controls import ControlQueue
from follower.session.runner import run
from follower.signal.tuning import Tuning, TuningEstimator
from follower.testing import FakeEngine, FakePiece, ListSink, ScriptedSource, audio
from tests.playback.playback_simulation import position_player, silent_recording
from tests.signal.test_tuning import notes
from tests.websocket.practice_pieces import put_piece

RATE_HZ = 22050


@pytest.fixture
def piece(tmp_path: Path) -> FakePiece:
    return FakePiece(name="bach", path=tmp_path / "bach")


@pytest.fixture
def room(piece: FakePiece) -> PracticeRoom:
    return PracticeRoom(piece, RATE_HZ, Desk(), stamp=lambda: "today")  # type: ignore[arg-type]


def at(seconds: float, state: State = State.FOLLOWING, sample: int = 0) -> Position:
    return Position(0, sample, RATE_HZ, seconds, seconds, 1.0, 0.9, state, 100.0 + sample / RATE_HZ)


def hear(room: PracticeRoom, *events: Event, first: int = 0) -> list[Command]:
    asked, _ = room.hear(AudioBlock(first, np.zeros(64, np.float32), 100.0), events)
    return asked


def state_after(room: PracticeRoom, command: PracticeCommand) -> Practice:
    return next(e for e in reversed(room.command(command)[1]) if isinstance(e, Practice))


def test_begin_again_and_begin_at_a_marker(room: PracticeRoom) -> None:
    with pytest.raises(InputError, match="nothing was begun yet"):
        room.command(Again())
    assert room.command(Begin(12.5))[0] == [Seek(12.5)]
    assert room.command(Again())[0] == [Seek(12.5)]
    room.command(Mark("B", 40.0))
    assert room.command(BeginAt("B"))[0] == [Seek(40.0)]
    assert state_after(room, Volume(-3.0)).start_s == 40.0
    with pytest.raises(InputError, match="outside"):
        room.command(Begin(100.5))


def test_what_is_heard_before_a_begin(room: PracticeRoom) -> None:
    followed = FollowedPlayer(position_player(silent_recording(60.0)))
    room.desk.attach(followed)
    room.command(LeadIn(4.0))
    room.command(CountIn(3, 90.0))
    room.command(Begin(2.5))
    followed.take_events()
    assert room.desk.prelude == Prelude(2.5, 2.5, 3, 90.0), "no longer than there is music before"
    assert state_after(room, Volume(0.0)).sounding == "lead_in"


def test_bars_of_orchestra_are_as_long_as_their_clicks(room: PracticeRoom) -> None:
    followed = FollowedPlayer(position_player(silent_recording(60.0)))
    room.desk.attach(followed)
    room.command(CountIn(0, 90.0))
    assert state_after(room, LeadInBars(2, 3)).lead_in_s == pytest.approx(2 * 3 * 60 / 90)
    room.command(Begin(20.0))
    followed.take_events()
    assert room.desk.prelude == Prelude(20.0, 4.0, 0, 90.0)
    assert state_after(room, CountIn(0, 120.0)).lead_in_s == pytest.approx(3.0), "another tempo, other bars"
    slow = state_after(room, Tempo(0.5, 0.8))
    assert slow.lead_in_s == pytest.approx(3.0 * 0.8), "played slowly less of the recording is as long"
    said = state_after(room, LeadIn(4.0))
    assert (said.lead_in_s, said.lead_in_bars) == (4.0, 0)
    assert state_after(room, LeadInBars(0)).lead_in_s == 0.0


def test_a_loop_begins_again_at_its_end_and_only_from_inside(room: PracticeRoom) -> None:
    room.command(Loop(20.0, 30.0))
    assert hear(room, at(50.0)) == [], "who is beyond it is not called back"
    assert hear(room, at(25.0)) == []
    assert hear(room, at(30.1, State.PAUSED)) == []
    asked, said = room.hear(AudioBlock(0, np.zeros(64, np.float32)), [at(30.1)])
    assert asked == [Seek(20.0)]
    assert [e.start_s for e in said if isinstance(e, Practice)] == [20.0], "again is possible from now on"
    assert hear(room, at(30.2)) == [], "once"
    assert hear(room, at(21.0)) == [] and hear(room, at(30.0, State.ORCHESTRA)) == [Seek(20.0)]
    room.command(EndLoop())
    assert hear(room, at(25.0)) == hear(room, at(30.1)) == []
    for wrong in (Loop(20.0, 20.5), Loop(30.0, 20.0), Loop(20.0, 200.0)):
        with pytest.raises(InputError):
            room.command(wrong)


def test_who_closes_a_loop_where_he_stands_is_called_back(room: PracticeRoom) -> None:
    hear(room, at(30.2))
    room.command(Loop(20.0, 30.0))
    assert hear(room, at(30.3)) == [Seek(20.0)]
    hear(room, at(45.0))
    room.command(Loop(20.0, 30.0))
    assert hear(room, at(45.1)) == [], "he closed it long ago, or elsewhere"


def test_markers_are_kept_beside_the_piece(room: PracticeRoom, piece: FakePiece) -> None:
    with pytest.raises(InputError, match="not known where the orchestra stands"):
        room.command(Mark("A"))
    hear(room, at(25.0))
    room.command(Mark("A"))
    _, said = room.command(Mark('  Tutti,  "forte" ', 10.0))
    assert said[0] == Markers(64, RATE_HZ, (('Tutti, "forte"', 10.0), ("A", 25.0)))
    path = companion_of(piece.path) / "markers.csv"
    assert read_markers(path) == {'Tutti, "forte"': 10.0, "A": 25.0}
    again = PracticeRoom(piece, RATE_HZ, Desk())  # type: ignore[arg-type]
    assert again.begin()[0] == Markers(0, RATE_HZ, (('Tutti, "forte"', 10.0), ("A", 25.0)))
    again.command(Unmark("A"))
    with pytest.raises(InputError, match="no marker 'A'"):
        again.command(Unmark("A"))
    for name, seconds in (("\n", 1.0), ("\x07bell", 1.0), ("late", 101.0)):
        with pytest.raises(InputError):
            again.command(Mark(name, seconds))
    assert csv_text([("A", 1.0)]) != audacity_text([("A", 1.0)])


def test_damaged_markers_keep_nobody_from_playing(piece: FakePiece) -> None:
    path = companion_of(piece.path) / "markers.csv"
    path.parent.mkdir()
    path.write_text("name,orchestra_time_s\nA,soon\n")
    room = PracticeRoom(piece, RATE_HZ, Desk())  # type: ignore[arg-type]
    notice, markers, _ = room.begin()
    assert isinstance(notice, Notice) and "holds no markers" in notice.message
    assert isinstance(markers, Markers) and markers.markers == ()
    room.command(Mark("B", 5.0))
    assert path.read_text().endswith("A,soon\n"), "what may be mended by hand is left alone"


def test_the_orchestra_is_asked_for_what_the_pianist_wants(room: PracticeRoom) -> None:
    state_after(room, Volume(-12.0))
    state = state_after(room, Tempo(0.6, 0.8))
    assert (state.volume_db, state.slowest, state.fastest) == (-12.0, 0.6, 0.8)
    wishes = room.desk.wishes
    assert (wishes.volume_db, wishes.slowest, wishes.fastest) == (-12.0, 0.6, 0.8)
    with pytest.raises(InputError, match="above the fastest"):
        room.command(Tempo(0.9, 0.8))


def test_the_engine_is_told_what_a_browser_plays(room: PracticeRoom) -> None:
    assert hear(room, at(25.0)) == [], "nobody plays"
    room.desk.attach(FollowedPlayer(position_player(silent_recording(60.0))), streamed=True)
    assert hear(room, at(25.0)) == [PlaybackPosition(0.0, 0.0)]


def test_a_session_is_practised_through_the_loop(piece: FakePiece, room: PracticeRoom) -> None:
    queue, sink, engine = ControlQueue(), ListSink(), FakeEngine(piece=piece)
    script = [
        lambda: queue.put(Begin(60.0)), audio(0), lambda: queue.put(Begin(101.0)), audio(512),
        lambda: queue.put(EndRecord()), audio(1024),
    ]  # fmt: skip
    with ScriptedSource(script) as source:
        run(source, engine, [sink], queue, partner=room)
    assert engine.commands == [Seek(60.0)]
    refused = [e.message for e in sink.events if isinstance(e, Notice) and "refused" in e.message]
    assert len(refused) == 2 and "begin refused: begin at 101 s is outside" in refused[0]
    assert "no recording is running" in refused[1]
    assert isinstance(sink.events[0], Markers) and isinstance(sink.events[1], Practice)


def test_without_a_partner_practising_is_refused() -> None:
    queue, sink = ControlQueue(), ListSink()
    with ScriptedSource([lambda: queue.put(Again()), audio(0)]) as source:
        run(source, FakeEngine(), [sink], queue)
    assert any("nothing is practised" in e.message for e in sink.events if isinstance(e, Notice))


def tone(hz: float, seconds: float) -> NDArray[np.float32]:
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def test_a_recording_has_piano_and_orchestra_as_they_were_heard_together(room: PracticeRoom) -> None:
    followed = FollowedPlayer(position_player(silent_recording(60.0, RATE_HZ)))
    room.desk.attach(followed)
    room.command(Record())
    with pytest.raises(InputError, match="running already"):
        room.command(Record())
    assert followed.tap is not None
    seconds = 3.0
    piano, orchestra = tone(440.0, seconds), tone(440.0, seconds)
    # Both sound at the same instants; the orchestra is made ahead and in blocks of its own, the piano comes late.
    for first in range(0, len(orchestra), 300):
        followed.tap(100.0 + first / RATE_HZ, orchestra[first : first + 300])
    for first in range(0, len(piano), 512):
        part = piano[first : first + 512]
        captured_s = 100.0 + (first + len(part)) / RATE_HZ
        room.hear(AudioBlock(first, part, captured_s), [])
    _, said = room.command(EndRecord())
    assert isinstance(said[0], Notice) and "0:03.0 to today.flac" in said[0].message
    recorded, rate_hz = soundfile.read(room.folder / "takes" / "today.flac")
    assert rate_hz == RATE_HZ and recorded.shape == (len(piano), 2)
    middle = slice(RATE_HZ, 2 * RATE_HZ)
    np.testing.assert_allclose(recorded[middle, 0], piano[middle], atol=1e-4)
    np.testing.assert_allclose(recorded[middle, 1], orchestra[middle], atol=0.01)


def test_a_session_that_ends_completes_its_recording(room: PracticeRoom) -> None:
    room.command(Record())
    room.hear(AudioBlock(0, tone(440.0, 0.5), 100.0), [])
    room.hear(AudioBlock(RATE_HZ, tone(440.0, 0.5), 101.0), [])
    assert room.close() == ""
    recorded, _ = soundfile.read(room.folder / "takes" / "today.flac")
    assert len(recorded) == RATE_HZ + RATE_HZ // 2, "what was lost is silence"
    assert not recorded[RATE_HZ // 2 : RATE_HZ].any()


def test_a_recording_that_cannot_be_written_is_said(room: PracticeRoom, piece: FakePiece) -> None:
    companion_of(piece.path).write_text("in the way")
    with pytest.raises(FollowerError, match="cannot record"):
        room.command(Record())


def test_a_piano_at_442_is_met_by_an_orchestra_at_438(room: PracticeRoom) -> None:
    recording = OrchestraRecording.from_samples(notes(40.0, 438.0), RATE_HZ)
    followed = FollowedPlayer(OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording)))
    room.desk.attach(followed, streamed=True)
    room.desk.take_recording(recording)
    room.command(Tune("piano"))
    piano = notes(16.0, 442.0, seed=7)
    heard: list[NDArray[np.float32]] = []
    made = 0
    for first in range(0, len(piano), 512):
        seconds = first / RATE_HZ
        room.hear(AudioBlock(first, piano[first : first + 512], 100.0 + seconds), [at(5.0 + seconds, sample=first)])
        followed.take_events()
        while made < first:
            heard.append(followed.block(100.0 + made / RATE_HZ)[:, 0])
            made += len(heard[-1])
    played = np.concatenate(heard)[10 * RATE_HZ :]
    estimator = TuningEstimator(RATE_HZ)
    estimator.push(played)
    found = estimator.estimate
    assert found is not None
    assert found.cents == pytest.approx(1200 * np.log2(442 / 440), abs=3.0)
    state = state_after(room, Tune("recording"))
    assert state.recording_cents == pytest.approx(1200 * np.log2(438 / 440), abs=1.5)
    assert room.desk.wishes.shift_cents == 0.0


def test_the_shorter_way_round_the_semitone_is_meant(room: PracticeRoom) -> None:
    room.desk.recording_tuning = Tuning(45.0, 0.5)
    room.command(Tune("piano"))
    room.hear(AudioBlock(0, notes(8.0, 440.0 * 2 ** (-45 / 1200)), 100.0), [])
    assert room.desk.wishes.shift_cents == pytest.approx(10.0, abs=2.0)


def test_what_a_piece_looks_like(tmp_path: Path) -> None:
    import base64

    piece: Piece = put_piece(tmp_path, "bach", 12.0)
    takes = companion_of(piece.path) / "takes"
    takes.mkdir(parents=True)
    soundfile.write(takes / "today.flac", np.zeros((RATE_HZ, 2)), RATE_HZ)
    (takes / "no.flac").write_text("nothing")
    looks = overview_of(piece)
    assert looks.piece == "bach" and looks.orchestra_duration_s == pytest.approx(12.0)
    for text in (looks.orchestra, looks.piano, looks.confidence):
        assert len(base64.b64decode(text)) == int(12.0 / looks.step_s)
    assert max(base64.b64decode(looks.orchestra)) == 255
    assert [(t.name, t.duration_s) for t in looks.takes] == [("today.flac", 1.0)]
    assert kept_recording(piece.path, "orchestra") is None
