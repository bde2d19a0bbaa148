"""`--blackbox` and its replay, by the program in processes of its own, one of them killed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.processes import Stage, program, run, set_stage, until


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return set_stage(tmp_path_factory.mktemp("stage"), 12.0)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as f:
        return list(csv.reader(f))[1:]


def events(path: Path) -> list[str]:
    """Lines of a JSONL file without what the clock added, the hello and a last line that was cut off."""
    found = []
    for line in path.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            break
        if event["type"] != "hello":
            found.append(json.dumps({k: v for k, v in event.items() if k not in ("capture_time", "latency_ms")}))
    return found


def test_after_a_kill_the_positions_come_again_bit_for_bit(stage: Stage, tmp_path: Path) -> None:
    """SIGKILL while following; at most a second of what was heard is not in the blackbox."""
    box, log = tmp_path / "box", tmp_path / "then.jsonl"
    with program(stage.replay("--blackbox", box, "--jsonl", log, speed="1.5")) as process:
        until(lambda: log.exists() and len(log.read_text().splitlines()) > 300, process)
        process.kill()
        process.wait()
    then = events(log)
    code, _, err = run(["replay", str(box), "--speed", "max", "--jsonl", str(tmp_path / "now.jsonl")])
    assert code == 0, err
    assert "the program was killed" in err and "bit for bit" in err and "others" not in err
    now = events(tmp_path / "now.jsonl")
    common = min(len(then), len(now) - 1)  # the end of the replay brings an event of its own
    same = [a == b for a, b in zip(then, now, strict=False)]
    assert all(same[: common - 3]) and common > 200
    assert (
        json.loads(then[-1])["audio_time"] - json.loads(now[common - 1])["audio_time"] < 1.5
    )  # 1 s at 1.5 x real time


def test_a_whole_session_comes_again_and_other_events_are_exit_code_1(stage: Stage, tmp_path: Path) -> None:
    box, then, now = tmp_path / "box", tmp_path / "then.csv", tmp_path / "now.csv"
    code, _, err = run(stage.replay("--blackbox", box, "--positions", then, "--start", "1.5", "--block", "700"))
    assert code == 0, err
    code, _, err = run(["replay", str(box), "--speed", "max", "--positions", str(now)])
    assert code == 0 and "ended as it should" in err, err
    assert rows(now) == rows(then)
    content = box.read_bytes()
    at = content.index(b'"start_s": 1.5')
    box.write_bytes(content[:at] + b'"start_s": 6.5' + content[at + 14 :])
    code, _, err = run(["replay", str(box), "--speed", "max"])
    assert code == 1 and "others than then" in err, err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--start", "1"], "leave out --start"),
        (["--method", "dense-sparse"], "leave out --start and --method"),
        (["--render", "x.wav"], "not rendered"),
    ],
)
def test_what_a_blackbox_has_itself_cannot_be_given(
    stage: Stage, tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from follower.cli import main
    from follower.files.blackbox import Blackbox

    box = tmp_path / "box"
    with Blackbox(box, stage.cache, "tempo", None, 22050):
        pass
    assert main(["replay", str(box), *more]) == 2
    assert said in capsys.readouterr().err


def test_a_recording_without_a_piece_and_another_piece_are_refused(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from follower.cli import main
    from follower.files.blackbox import Blackbox

    assert main(["replay", str(stage.piano)]) == 2
    assert "is no blackbox; give a prepared piece" in capsys.readouterr().err
    other = set_stage(tmp_path / "other", 5.0)
    box = tmp_path / "box"
    with Blackbox(box, stage.cache, "tempo", None, 22050):
        pass
    assert main(["replay", str(other.cache), str(box)]) == 2
    assert "is not the piece that was followed" in capsys.readouterr().err
