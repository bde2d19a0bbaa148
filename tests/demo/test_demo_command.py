"""`follower demo` on the short piece, and its picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from follower.cli import main
from follower.commands.demo import follower_program
from follower.demo.plot import Track, plot_demo, read_track, state_spans
from follower.errors import OutputError
from follower.evaluation.scenario import load_scenario
from follower.events import State


@pytest.fixture
def short_instead_of_whole(short_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("follower.demo.render.demo_scenario", lambda: short_demo)


@pytest.mark.usefixtures("short_instead_of_whole")
def test_leaves_a_table_a_picture_and_everything_to_go_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["demo", "--out", str(out), "--plot", str(tmp_path / "picture.png")]) == 0
    printed = capsys.readouterr().out
    for system in ("live:tempo", "naive", "notebook"):
        assert f"concertino  {system}" in printed
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert {f.name for f in (out / "concertino").iterdir()} >= {"p.wav", "o.wav", "po.wav", "truth.csv"}
    track = read_track(out / "results" / "concertino" / "live-tempo" / "positions.csv")
    assert np.isfinite(track.orchestra_s).any() and State.FOLLOWING in track.state
    # The command it ends with works as printed.
    follow = printed.splitlines()[-1].partition("follower ")[2].split()
    assert main([*follow[: follow.index("--render")], "--positions", str(tmp_path / "p.csv")]) == 0


def test_names_a_program_the_users_shell_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "env" / "bin" / "follower"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program), "demo"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert follower_program() == str(Path("env/bin/follower")), "the environment is not activated"
    monkeypatch.setenv("PATH", str(program.parent))
    assert follower_program() == "follower"
    monkeypatch.setattr("sys.argv", [str(tmp_path / "follower" / "__main__.py"), "demo"])
    assert follower_program() == "follower", "python -m follower"


@pytest.mark.usefixtures("short_instead_of_whole")
def test_refuses_a_folder_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file" / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write")


def test_spans_cover_the_run_without_gaps() -> None:
    state = [State.WAITING] * 3 + [State.FOLLOWING] * 4 + [State.ORCHESTRA] * 2 + [State.FOLLOWING]
    track = Track(np.arange(10.0), np.arange(10.0), np.ones(10), tuple(state))
    assert state_spans(track) == [
        (0.0, 3.0, State.WAITING),
        (3.0, 7.0, State.FOLLOWING),
        (7.0, 9.0, State.ORCHESTRA),
    ]


def test_a_picture_that_cannot_be_written_is_a_clear_error(short_demo: Path, tmp_path: Path) -> None:
    truth = load_scenario(short_demo).truth
    track = Track(np.arange(3.0), np.array([np.nan, 1.0, 2.0]), np.ones(3), (State.FOLLOWING,) * 3)
    with pytest.raises(OutputError, match="ending in"):
        plot_demo(truth, track, {"live": np.zeros(len(truth.beat_s))}, tmp_path / "picture.xyz")
