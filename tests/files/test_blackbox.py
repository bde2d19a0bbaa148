"""The blackbox: what an engine took comes back as it was, however the file was cut, overwritten or damaged."""

from __future__ import annotations

import stat
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from follower.engine import Engine
from follower.errors import InputError, OutputError
from follower.events import AudioBlock, Event, Notice, Position
from follower.files.blackbox import Blackbox
from follower.files.blackbox_format import ROOM, SLOT_BYTES, Head, is_blackbox
from follower.files.blackbox_source import BlackboxSource, Comparison, read_head
from follower.piece.piece import Piece
from follower.piece.writing import write_piece
from follower.protocol.commands import Command, Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.session.controls import ControlQueue
from follower.session.recorder import EventDigest
from follower.session.runner import run
from follower.testing import SOUND_RATE_HZ, ListSink, ScriptedSource, make_piece, make_sound

SOUND_S = 6.0


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Piece:
    piece = replace(make_piece(SOUND_S), path=tmp_path_factory.mktemp("stage") / "piece")
    write_piece(piece)
    return piece


def blackbox(path: Path, piece: Piece, minutes: float = 1.0, rate_hz: int = SOUND_RATE_HZ) -> Blackbox:
    return Blackbox(path, piece.path, "tempo", None, rate_hz, minutes)


def perform(piece: Piece, recorder: Blackbox, script: Sequence[AudioBlock | Command]) -> list[Event]:
    """Run an engine through a script; return its events, those the runner adds left out."""
    sink, controls = ListSink(), ControlQueue()
    source = ScriptedSource([])

    def items() -> object:
        for item in script:
            if isinstance(item, AudioBlock):
                yield item
            else:
                controls.put(item)

    source.blocks = items  # type: ignore[assignment, method-assign]
    with recorder:
        run(source, Engine(piece, SOUND_RATE_HZ), [sink], controls, recorder=recorder)
    return sink.events


def again(piece: Piece, path: Path) -> tuple[list[Event], Comparison]:
    """Have what a blackbox kept again."""
    sink, controls, digest = ListSink(), ControlQueue(10_000), EventDigest()
    with BlackboxSource(path, controls, digest, None) as source:
        run(source, Engine(piece, source.sample_rate_hz), [sink], controls, recorder=digest)
    return sink.events, source.comparison()


def music(events: Sequence[Event]) -> list[str]:
    """Events without what the clock added, and without notices, of which some come of the clock."""
    return [
        repr(replace(e, capture_time_s=None, latency_ms=None) if isinstance(e, Position) else e)
        for e in events
        if not isinstance(e, Notice)
    ]


def cut(
    lengths: Sequence[int], commands: Sequence[tuple[int, Command]], gaps: Sequence[int]
) -> list[AudioBlock | Command]:
    """The sound in blocks of these lengths, in turn, with commands and gaps before the blocks of these numbers."""
    script: list[AudioBlock | Command] = []
    sound, at, number, lost = make_sound(SOUND_S), 0, 0, 0
    while at < len(sound):
        script += [command for n, command in commands if n == number]
        lost += 700 * (number in gaps)
        n = lengths[number % len(lengths)]
        script.append(AudioBlock(at + lost, sound[at : at + n], float(number)))
        at, number = at + n, number + 1
    return script


COMMANDS = st.one_of(
    st.builds(Seek, st.floats(0.0, SOUND_S)),
    st.builds(PlaybackPosition, st.floats(0.0, SOUND_S), st.floats(0.0, 16.0)),
    st.sampled_from([Start(), Stop(), Pause(), Resume()]),
)


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.integers(0, 30_000), min_size=1, max_size=5).filter(lambda x: sum(x) > 2000),
    st.lists(st.tuples(st.integers(0, 30), COMMANDS), max_size=6),
    st.lists(st.integers(0, 30), max_size=2),
)
def test_what_was_kept_gives_the_same_events_bit_for_bit(
    piece: Piece,
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    commands: list[tuple[int, Command]],
    gaps: list[int],
) -> None:
    path = tmp_path_factory.mktemp("box") / "box"
    then = perform(piece, blackbox(path, piece), cut(lengths, commands, gaps))
    now, comparison = again(piece, path)
    assert music(now) == music(then)
    assert comparison.differs_at_s is None and not comparison.killed and not comparison.dropped


def test_a_private_file_that_says_what_was_followed(piece: Piece, tmp_path: Path) -> None:
    path = tmp_path / "box"
    perform(piece, blackbox(path, piece), cut([512], [], []))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head = read_head(path)
    assert (head.method, head.start_s, head.sample_rate_hz) == ("tempo", None, SOUND_RATE_HZ)
    assert Path(head.piece) == piece.path and "numba" in head.libraries and is_blackbox(path)


def test_the_file_takes_no_more_than_its_size_and_what_is_left_begins_at_a_start(piece: Piece, tmp_path: Path) -> None:
    path = tmp_path / "box"
    script = cut([512], [], [])
    rounds: list[AudioBlock | Command] = []
    for n in range(4):  # 24 s of sound into a ring of 10
        rounds += [
            Start(),
            *(AudioBlock(b.first_sample + n * 10**6, b.samples) for b in script if isinstance(b, AudioBlock)),
        ]
    box = blackbox(path, piece, minutes=1 / 6)
    then = perform(piece, box, rounds)
    assert path.stat().st_size <= SLOT_BYTES * (1 + 1.1 * 4 * 10 * SOUND_RATE_HZ / ROOM)
    now, comparison = again(piece, path)
    assert comparison.dropped and comparison.differs_at_s is None
    assert comparison.events > 43 * (SOUND_S - 1)
    assert music(now) == music(then)[-len(now) :], "the last round"


def test_without_a_start_what_is_left_is_followed_and_not_claimed_to_be_the_same(piece: Piece, tmp_path: Path) -> None:
    path = tmp_path / "box"
    sound = make_sound(SOUND_S)
    script = [AudioBlock(at, np.resize(np.roll(sound, -at), 512)) for at in range(0, 24 * SOUND_RATE_HZ, 512)]
    perform(piece, blackbox(path, piece, minutes=1 / 6), script)
    now, comparison = again(piece, path)
    assert isinstance(now[0], Notice) and "overwritten" in now[0].message
    assert comparison.dropped and comparison.events == 0 and comparison.unknown_s > 9.0
    assert "24 s" not in str(comparison) and "could not be compared" in str(comparison)


def test_a_slow_disk_delays_nothing_and_what_is_missing_is_said(
    piece: Piece, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk hangs until more has come than may wait; from there on events are not compared until a fresh start."""
    monkeypatch.setattr("follower.files.blackbox.CAPACITY", 50)
    path = tmp_path / "box"
    box, going = blackbox(path, piece), threading.Event()
    deliver = box.deliver

    def hang(items: list[tuple[int, bytes]]) -> None:
        assert going.wait(60.0)
        deliver(items)

    box.deliver = hang  # type: ignore[method-assign]
    script = cut([512], [], [])
    with box:
        engine = Engine(piece, SOUND_RATE_HZ)
        for block in script:
            assert isinstance(block, AudioBlock)
            box.heard(block, engine.process(block))
        going.set()
    assert box.dropped > 100
    now, comparison = again(piece, path)
    assert any(isinstance(e, Notice) and "records are missing" in e.message for e in now)
    assert comparison.differs_at_s is None and comparison.unknown_s > 1.0


def test_other_events_are_told(piece: Piece, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "box"
    perform(piece, blackbox(path, piece), cut([512], [], []))
    monkeypatch.setattr(
        "follower.tracking.tracker.Tracker.mix_s", property(lambda self: 1.0), raising=True
    )  # another program
    _, comparison = again(piece, path)
    assert comparison.differs_at_s is not None and comparison.differs_at_s <= SOUND_S
    assert "others than then" in str(comparison)


@pytest.mark.parametrize("at", [SLOT_BYTES * 3 + 5000, SLOT_BYTES * 3 + 10])
def test_damage_in_the_middle_ends_the_replay_and_is_told(piece: Piece, tmp_path: Path, at: int) -> None:
    path = tmp_path / "box"
    then = perform(piece, blackbox(path, piece), cut([512], [], []))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    now, comparison = again(piece, path)
    if comparison.dropped:  # the number of a slot is gone: what comes after it is all that can be found
        assert comparison.events == 0
        return
    assert any(isinstance(e, Notice) and "damaged" in e.message for e in now)
    kept = [e for e in music(now) if "ENDED" not in e]
    assert kept == music(then)[: len(kept)] and len(kept) > 10


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"concerto-follower blackbox 1\n", b"concerto-follower blackbox 1\n{}\n", b"\0" * 9999]
)
def test_what_is_no_blackbox_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "box"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be used"):
        read_head(path)


@pytest.mark.parametrize(
    "change", [{"slots": 0}, {"sample_rate_hz": 1e9}, {"session": "zz"}, {"piece": 3}, {"start_s": "1"}]
)
def test_a_head_with_wrong_values_is_refused(change: dict[str, object]) -> None:
    good = Head("1", "l", "m", "b", "00" * 8, "p", "s", "tempo", None, 44100, 9)
    assert Head.decode(good.encode()) == good
    with pytest.raises(InputError, match="damaged"):
        Head.decode(replace(good, **change).encode())  # type: ignore[arg-type]


def test_another_file_is_not_overwritten_and_an_older_blackbox_is_kept(piece: Piece, tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(b"my concerto")
    with pytest.raises(OutputError, match="no blackbox"):
        blackbox(path, piece).open()
    assert path.read_bytes() == b"my concerto"
    path.unlink()
    perform(piece, blackbox(path, piece), cut([512], [], []))
    first = path.read_bytes()
    perform(piece, blackbox(path, piece), cut([512], [], []))
    assert (tmp_path / "box.previous").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["box", "box.previous"]
