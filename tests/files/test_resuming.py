"""Going on after a session that was cut off."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from follower.cli import main
from follower.engine import Engine
from follower.errors import InputError
from follower.events import AudioBlock, Position
from follower.files.csv_positions import HEADER
from follower.files.resuming import MAX_AWAY_S, resumed_place_s
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound
from tests.paths import EXAMPLES, REPOSITORY
from tests.processes import program, run, set_stage, until

ROWS = ("1.0,,,1.0,0.0,waiting", "2.0,10.0,11.0,1.1,0.9,following")


def positions(path: Path, *rows: str, end: str = "\n") -> Path:
    path.write_text("\n".join((",".join(HEADER), *rows)) + end)
    os.utime(path, (1000.0, 1000.0))
    return path


@pytest.mark.parametrize(
    ("more", "end", "now_s", "place_s"),
    [
        ((), "\n", 1000.0, 10.0),
        ((), "\n", 1010.0, 21.0),
        ((), "\n", 990.0, 10.0),  # a clock that was set back
        ((), "\n", 1e6, 10.0 + 1.1 * MAX_AWAY_S),
        (("3.0,12.0,13.0,1.0,0.9,paused",), "\n", 1010.0, 12.0),
        (("3.0,,,1.0,0.1,lost",), "\n", 1000.0, 10.0),
        (("3.0,1",), "", 1000.0, 10.0),  # cut off while it was written
        (("3.0,12.0,13.0,1.0,0.9,follo",), "", 1000.0, 10.0),
        (("3.0,nan,13.0,1.0,0.9,following",), "\n", 1000.0, 10.0),
    ],
)
def test_the_last_known_place_goes_on(
    tmp_path: Path, more: tuple[str, ...], end: str, now_s: float, place_s: float
) -> None:
    assert resumed_place_s(positions(tmp_path / "p.csv", *ROWS, *more, end=end), now_s) == pytest.approx(place_s)


def test_what_tells_no_place(tmp_path: Path) -> None:
    for path in (
        tmp_path / "none.csv",
        tmp_path,
        positions(tmp_path / "p.csv", ROWS[0]),
        positions(tmp_path / "e", ""),
    ):
        with pytest.raises(InputError, match="position"):
            resumed_place_s(path, 1000.0)


def test_a_start_and_a_resumption_contradict_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = positions(tmp_path / "p.csv", *ROWS)
    assert main(["live", "cache", "--resume", str(path), "--start", "5"]) == 2
    assert "--resume or --start" in capsys.readouterr().err


def test_the_command_says_where_it_goes_on_and_may_overwrite_what_it_read(tmp_path: Path) -> None:
    stage = set_stage(tmp_path, 16.0)
    path = positions(tmp_path / "p.csv", *ROWS, "3.0,7.5,8.0,1.0,0.9,paused")
    words = ["live", str(stage.cache), "--source", "tone_source:ToneSource"]
    code, _, err = run(
        [*words, "--resume", str(path), "--positions", str(path)],
        env={"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{EXAMPLES}"},
    )
    assert code == 0, err
    assert "going on at 7.5 s of the orchestra recording" in err
    assert "7.5,8.0,1.0,0.9,paused" not in path.read_text()


def test_after_a_kill_the_pianist_is_found_where_he_has_got_to(tmp_path: Path) -> None:
    """A replay is killed, its place read from what it had written, and an engine goes on in the middle of the music."""
    seconds = 16.0
    stage = set_stage(tmp_path, seconds)
    log = tmp_path / "p.csv"
    with program(stage.replay("--positions", log, speed="realtime")) as process:
        until(lambda: log.exists() and log.read_text().count("following") > 40, process)
        process.kill()
        process.wait()
    last = log.read_text().splitlines()[-2].split(",")
    place_s = resumed_place_s(log, time.time())
    assert float(last[1]) <= place_s + 0.5
    sound = make_sound(seconds)
    first = round(place_s * SOUND_RATE_HZ)
    engine = Engine(make_piece(seconds), SOUND_RATE_HZ, start_s=place_s)
    events = engine.process(AudioBlock(0, sound[first : first + 4 * SOUND_RATE_HZ]))
    found = [e for e in events if isinstance(e, Position) and e.orchestra_time_s is not None]
    errors = [abs((e.orchestra_time_s or 0.0) - place_s - e.audio_time_s) for e in found]
    assert len(found) > 20 and np.median(errors[len(errors) // 2 :]) < 0.2
