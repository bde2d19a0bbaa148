"""The border of the command line: values, frozen options, and what a mistake looks like."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.cli import COMMANDS, command_parser, main
from follower.commands.options.values import address, duration_s, time_s, whole_number
from follower.terminal import clock_text
from offline_prep.cli import main as prep_main
from tests.paths import REPOSITORY

MINIMAL = {
    "replay": ["cache", "p.wav"],
    "live": ["cache"],
    "devices": [],
    "serve": ["--caches", "c"],
    "evaluate": ["scenario"],
    "inspect": ["cache"],
    "markers": ["cache"],
    "latency": ["cache", "p.wav"],
    "demo": [],
}
HEAVY = ("numpy", "scipy", "numba", "soxr", "soundfile", "librosa", "sklearn", "matplotlib", "websockets", "pythonosc")


@given(st.integers(0, 600), st.integers(0, 59), st.integers(0, 999), st.sampled_from(["", "-", "+"]))
def test_minutes_and_seconds_are_the_same_time_as_seconds(minutes: int, seconds: int, ms: int, sign: str) -> None:
    whole = 60 * minutes + seconds + ms / 1000
    expected = -whole if sign == "-" else whole
    assert time_s(f"{sign}{minutes}:{seconds:02d}.{ms:03d}") == pytest.approx(expected, abs=1e-9)
    assert time_s(f"{sign}{minutes}:{seconds:02d}") == (-1 if sign == "-" else 1) * (60 * minutes + seconds)


@given(st.floats(-1e6, 1e6))
def test_seconds_are_read_as_python_reads_them(value: float) -> None:
    assert time_s(repr(value)) == value


@given(st.floats(-36_000, 36_000))
def test_a_printed_time_can_be_typed_again(seconds: float) -> None:
    assert abs(time_s(clock_text(seconds)) - seconds) <= 0.05 + 1e-9


@given(st.text(max_size=8))
def test_any_text_is_a_finite_time_or_refused(text: str) -> None:
    try:
        assert abs(time_s(text)) < float("inf")
    except argparse.ArgumentTypeError as e:
        assert "1:23.5" in str(e)


@pytest.mark.parametrize("bad", ["", ":", "1:", ":30", "1:5", "1:60", "1:2:3", "1 :30", "nan", "inf", "-inf", "1:٣0"])
def test_what_is_no_time(bad: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
        time_s(bad)


def test_other_values() -> None:
    assert clock_text(59.97) == "1:00.0", "rounded before it is split"
    with pytest.raises(argparse.ArgumentTypeError, match="above 0"):
        duration_s("0:00")
    with pytest.raises(argparse.ArgumentTypeError, match="whole number"):
        whole_number(1)("1.5")
    with pytest.raises(argparse.ArgumentTypeError, match="HOST:PORT"):
        address("nowhere")


def parsed(command: str, *words: str) -> Any:
    parser, module = command_parser(command)
    return module.options_of(parser.parse_args([*MINIMAL[command], *words]))


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_frozen_and_hold_no_namespace(command: str) -> None:
    options = parsed(command)
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        assert not isinstance(value, argparse.Namespace | list | dict)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(options, f.name, value)


def test_every_time_may_be_minutes_and_seconds() -> None:
    assert parsed("replay", "--start", "1:02.5").engine.start_s == 62.5
    assert parsed("live", "--start", "62.5").engine.start_s == 62.5
    assert parsed("live", "--lead-in", "0:04.5").practice.lead_in_s == 4.5
    assert parsed("latency", "--seconds", "1:30", "--start", "0:10").duration_s == 90.0
    assert parsed("devices", "--seconds", "0:03").duration_s == 3.0
    assert parsed("evaluate", "--start-offset=-0:02.5").start_offset_s == -2.5
    assert parsed("evaluate", "--start-offset", "-2.5").start_offset_s == -2.5


def test_the_pace_of_a_replay() -> None:
    assert parsed("replay").speed == 1.0
    assert parsed("replay", "--render", "f.wav").speed is None, "as fast as possible when only files are written"
    assert parsed("replay", "--render", "f.wav", "--ws", "0").speed == 1.0
    assert parsed("replay", "--render", "f.wav", "--speed", "2").speed == 2.0
    assert parsed("replay", "--speed", "max").speed is None
    assert parsed("replay", "--render", "f.wav", "--speed", "realtime").speed == 1.0


@pytest.mark.parametrize(
    ("words", "part", "help_line"),
    [
        ([], "COMMAND", "see follower --help"),
        (["repaly"], "repaly", "see follower --help"),
        (["--nonsense"], "COMMAND", "see follower --help"),
        (["--", "replay"], "COMMAND", "see follower --help"),
        (["replay"], "required: CACHE", "see follower replay --help"),
        (["replay", "c", "p", "--speed", "fast"], "--speed: 'fast'", "see follower replay --help"),
        (
            ["live", "c", "--lead-in", "1:01"],
            "--lead-in: '1:01' is not a length between 0 and 60 s",
            "see follower live --help",
        ),
        (["replay", "c", "p", "--start", "1:99"], "--start: '1:99' is not a time", "see follower replay --help"),
        (["replay", "c", "p", "--block", "0"], "--block: 0 is too few", "see follower replay --help"),
        (["replay", "c", "p", "--nonsense"], "--nonsense", "see follower replay --help"),
        (["live", "c", "--method", "guess"], "guess", "see follower live --help"),
        (["serve", "--workers", "some"], "--workers", "see follower serve --help"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], part: str, help_line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.endswith(f"; {help_line}\n") and err.count("\n") == 1
    assert part in err


def test_a_mistake_of_prep_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert prep_main(["o.wav"]) == 2
    assert capsys.readouterr().err == (
        "error: the following arguments are required: MIX, --out; see offline-prep --help\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-orchestra"], "the following arguments are required: --mix, --out"),
        (
            ["o.wav", "--mix", "po.wav", "--no-orchestra", "--out", "c"],
            "ORCHESTRA cannot be given without an orchestra",
        ),
        (
            ["--mix", "po.wav", "--no-orchestra", "--out", "c", "--mix-orchestra", "s.wav", "--mix-piano", "t.wav"],
            "--mix-piano, --mix-orchestra cannot be given without an orchestra",
        ),
        (["o.wav", "po.wav", "--mix", "po.wav", "--out", "c"], "--mix cannot be given with an orchestra"),
        (["--mix", "po.wav", "--out", "c"], "the following arguments are required: ORCHESTRA, MIX"),
    ],
)
def test_recordings_that_do_not_go_together_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prep_main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}") and err.endswith("; see offline-prep --help\n") and err.count("\n") == 1


def test_help_and_version_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["--help"], tuple(COMMANDS)),
        (["--version"], ("follower ",)),
        (["replay", "--help"], ("--positions", "--render-mix", "m:ss")),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        out = capsys.readouterr().out
        assert all(text in out for text in expected)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("follower", ["--help"]),
        ("follower", ["--version"]),
        ("follower", ["nonsense"]),
        *(("follower", [command, "--help"]) for command in COMMANDS),
        ("follower", ["replay", "c", "p", "--speed", "fast"]),
        ("offline_prep", ["--help"]),
        ("offline_prep", ["o.wav"]),
    ],
)
def test_help_and_mistakes_load_nothing_heavy(module: str, words: list[str]) -> None:
    code = (
        f"import contextlib, sys; from {module}.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({words!r})\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_top_help_loads_no_command() -> None:
    code = (
        "import contextlib, sys; from follower.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "print([m for m in sys.modules if m.startswith(('follower.commands', 'rich'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_is_listed() -> None:
    modules = {p.stem for p in (REPOSITORY / "follower" / "commands").glob("*.py")}
    described = {m for m in modules if "DESCRIPTION" in (REPOSITORY / "follower/commands" / f"{m}.py").read_text()}
    assert described == set(COMMANDS) == set(MINIMAL)


def test_paths_stay_paths(tmp_path: Path) -> None:
    assert parsed("replay", "--positions", str(tmp_path / "p.csv")).outputs.positions == tmp_path / "p.csv"
