"""`replay --render` and its kin: the files, the report, and what is said when something is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from follower.cli import command_parser
from follower.commands import orchestra as orchestra_sinks
from follower.commands.replay import ReplayOptions
from follower.errors import ConfigError, InputError, OutputError
from follower.evaluation.accompaniment import draw_report, summary_line
from follower.events import Event, Notice, State, StateChange
from follower.playback.desk import Desk
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording, load_orchestra
from follower.playback.render_sink import RenderSink, RenderTargets
from follower.playback.stretchers import make_stretcher
from follower.session.sink import Sink
from tests.playback.playback_simulation import LIVE_RATE_HZ, position

RATE_HZ = 16000
PIANO_S = 6.0
NOTHING = RenderTargets(None, None, 0.0, 0.0)


def tone(frequency_hz: float, duration_s: float, rate_hz: int, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz)).astype("f4")


def frequency_hz(x: np.ndarray, rate_hz: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(x * np.hanning(len(x)))))) * rate_hz / len(x)


@pytest.fixture
def piano(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "piano.wav", tone(500.0, PIANO_S, LIVE_RATE_HZ), LIVE_RATE_HZ)
    return tmp_path / "piano.wav"


@pytest.fixture
def orchestra(tmp_path: Path) -> Path:
    sides = np.stack([tone(300.0, 30.0, RATE_HZ), tone(300.0, 30.0, RATE_HZ)], axis=1)
    soundfile.write(tmp_path / "orchestra.wav", sides, RATE_HZ)
    return tmp_path / "orchestra.wav"


def session() -> list[Event]:
    """A follower at rate 1.2 from the first second on."""
    events: list[Event] = [Notice(0, LIVE_RATE_HZ, "begins")]
    for k in range(1, int(PIANO_S * LIVE_RATE_HZ / 512)):
        at_s = k * 512 / LIVE_RATE_HZ
        waiting = at_s < 1.0
        events.append(
            position(at_s, None if waiting else 5 + 1.2 * at_s, 1.2, State.WAITING if waiting else State.FOLLOWING)
        )
    events.append(StateChange(round(PIANO_S * LIVE_RATE_HZ), LIVE_RATE_HZ, State.ENDED, State.FOLLOWING, "over"))
    return events


def rendered(piano: Path, orchestra: Path, targets: RenderTargets, report: Path | None = None) -> None:
    recording = load_orchestra(orchestra)
    player = OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording))
    draw = None if report is None else lambda course, positions: draw_report(course, positions, piano, report)
    with RenderSink(player, piano, targets, lambda: PIANO_S, draw) as sink:
        for event in session():
            sink.send(event)
        assert sink.dropped == 0


def test_piano_left_orchestra_right_24_bit_at_the_orchestra_s_rate(
    piano: Path, orchestra: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.wav"
    rendered(piano, orchestra, RenderTargets(out, None, 0.0, -6.0206))
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.subtype) == (RATE_HZ, 2, "PCM_24")
    assert PIANO_S <= info.duration < PIANO_S + 0.5
    sound, _ = soundfile.read(out)
    assert np.abs(sound[:RATE_HZ, 1]).max() == 0.0
    middle = sound[2 * RATE_HZ : 5 * RATE_HZ]
    # Stretched by 1.2, but at its own pitch.
    assert frequency_hz(middle[:, 0], RATE_HZ) == pytest.approx(500.0, abs=0.5)
    assert frequency_hz(middle[:, 1], RATE_HZ) == pytest.approx(300.0, abs=0.5)
    assert np.abs(middle).max(axis=0) == pytest.approx([0.5, 0.25], rel=0.05)
    assert "entries 1, jumps 0, fades 1, audible steps 0" in capsys.readouterr().err


def test_the_mix_is_their_sum_under_full_scale_and_in_time(piano: Path, orchestra: Path, tmp_path: Path) -> None:
    both, mix = tmp_path / "both.wav", tmp_path / "mix.wav"
    rendered(piano, orchestra, RenderTargets(both, mix, -12.0, -12.0))
    stereo, mono = soundfile.read(both)[0], soundfile.read(mix)[0]
    assert mono.shape == (len(stereo),)
    np.testing.assert_allclose(mono, stereo.sum(axis=1), atol=1e-5)
    rendered(piano, orchestra, RenderTargets(None, mix, 6.0, 6.0))
    mono = soundfile.read(mix)[0]
    assert 0.9 < np.abs(mono).max() <= 0.971


def test_the_report_is_drawn_with_and_without_truth(
    piano: Path, orchestra: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rendered(piano, orchestra, NOTHING, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "no truth beside" in capsys.readouterr().err
    folder = tmp_path / "scenario"
    folder.mkdir()
    for name, source in (("p", piano), ("o", orchestra), ("po", orchestra)):
        (folder / f"{name}.wav").write_bytes(source.read_bytes())
    beats = [1.0 + 0.5 * k for k in range(10)]
    (folder / "p.beats").write_text("start,measure\n" + "".join(f"{b},{b}\n" for b in beats))
    (folder / "o.beats").write_text("start,measure\n" + "".join(f"{5 + 1.2 * b},{b}\n" for b in beats))
    rendered(folder / "p.wav", orchestra, NOTHING, tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_text().startswith("<?xml")
    said = capsys.readouterr().err
    # The beat at 1 s comes before the entry.
    assert "over 50/100/200/500/1000/2000 ms: 0/0/0/0/0/0 %; silent at 10 % of 10 beats" in said


def test_a_file_that_cannot_be_written_is_refused_before_the_replay(
    piano: Path, orchestra: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "none" / "out.wav"
    with pytest.raises(OutputError, match="cannot write"):
        rendered(piano, orchestra, RenderTargets(tmp_path / "good.wav", bad, 0.0, 0.0))
    with pytest.raises(OutputError, match=r"ending in \.png"):
        rendered(piano, orchestra, NOTHING, tmp_path / "report.xyz")


def test_a_failed_replay_is_not_rendered(piano: Path, orchestra: Path, tmp_path: Path) -> None:
    recording = load_orchestra(orchestra)
    player = OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording))
    sink = RenderSink(player, piano, RenderTargets(tmp_path / "out.wav", None, 0.0, 0.0), lambda: PIANO_S)
    with pytest.raises(InputError), sink:
        for event in session():
            sink.send(event)
        raise InputError("the piano broke")
    assert list(tmp_path.glob(".*")) + list(tmp_path.glob("out*")) == []


def test_silence_at_every_beat_is_said_as_such() -> None:
    assert "silent at all 3 beats" in summary_line(np.full(3, np.nan))


def options(*words: str) -> ReplayOptions:
    parser, module = command_parser("replay")
    parsed: ReplayOptions = module.options_of(parser.parse_args(["cache", "p.wav", *words]))
    return parsed


def cache_of(path: Path, sha256: str, duration_s: float) -> Any:
    prepared = SimpleNamespace(path=str(path), sha256=sha256, duration_s=duration_s)
    return SimpleNamespace(orchestra_file=prepared, path=path.with_name("cache"))


def test_only_the_recording_the_cache_is_about_is_played(orchestra: Path, piano: Path, tmp_path: Path) -> None:
    import hashlib

    digest = hashlib.sha256(orchestra.read_bytes()).hexdigest()

    def make(wanted: ReplayOptions, cache: Any, piano: Path) -> list[Sink]:
        return orchestra_sinks.render_sinks(wanted.render, wanted.play, cache, piano, lambda: PIANO_S)

    wanted = options("--render", str(tmp_path / "out.wav"))
    assert len(make(wanted, cache_of(orchestra, digest, 30.0), piano)) == 1
    with pytest.raises(InputError, match="has changed"):
        make(wanted, cache_of(orchestra, "0" * 64, 30.0), piano)
    with pytest.raises(InputError, match="--orchestra FILE"):
        make(wanted, cache_of(tmp_path / "gone.wav", digest, 30.0), piano)
    # Another copy of the same length will do, another length will not.
    elsewhere = options("--render", str(tmp_path / "out.wav"), "--orchestra", str(orchestra))
    assert len(make(elsewhere, cache_of(tmp_path / "gone.wav", "0" * 64, 30.2), piano)) == 1
    with pytest.raises(InputError, match=r"lasts 30\.0 s"):
        make(elsewhere, cache_of(tmp_path / "gone.wav", "0" * 64, 40.0), piano)
    assert make(options(), cache_of(orchestra, digest, 30.0), piano) == []
    assert orchestra_sinks.play_sinks(options().play, cache_of(orchestra, digest, 30.0), Desk()) == []


@pytest.mark.parametrize(
    "words",
    [["--volume", "99"], ["--volume", "x"], ["--balance", "2"], ["--play-latency", "0"], ["--stretcher", "tape"]],
)
def test_a_wrong_option_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match=words[0]):
        options(*words)


def test_a_device_with_another_rate_gets_the_recording_resampled() -> None:
    recording = OrchestraRecording.from_samples(np.stack([tone(300.0, 2.0, RATE_HZ)] * 2), RATE_HZ)
    other = recording.resampled(48000)
    assert (other.sample_rate_hz, other.channels) == (48000, 2)
    assert other.duration_s == pytest.approx(2.0, abs=0.01)
    assert frequency_hz(other.samples[0, 9600:-9600], 48000) == pytest.approx(300.0, abs=0.7)
