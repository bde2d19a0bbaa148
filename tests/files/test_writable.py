"""Whether a result can be written is known before it is made, and trying leaves no trace."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from follower.cli import main
from follower.errors import OutputError
from follower.files.writable import check_file, check_folder, check_picture


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir() if p.is_file()}


def test_trying_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("kept")
    before = contents(tmp_path)
    for path in (tmp_path / "old.csv", tmp_path / "new.csv", None):
        check_file(path)
    check_picture(tmp_path / "new.PNG")
    check_picture(None)
    check_folder(tmp_path / "a" / "b")
    check_folder(None)
    assert contents(tmp_path) == before
    assert not (tmp_path / "a").exists()


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """Opening one that nobody reads would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    check_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("check", "name", "message"),
    [
        (check_file, "nowhere/f.csv", "there is no folder .*nowhere; make it first"),
        (check_file, "folder", "it is no file you may write"),
        (check_file, "x" * 300, "choose a file you may write"),
        (check_file, "file/f.csv", "there is no folder .*file"),
        (check_picture, "f.xyz", "its ending names no format"),
        (check_picture, "f", "its ending names no format"),
        (check_picture, "nowhere/f.svg", "there is no folder"),
        (check_folder, "file", "it is no folder; choose a folder you may write"),
        (check_folder, "file/deeper/still", "it is no folder"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, check: Callable[[Path], None], name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=message):
        check(tmp_path / name)


def test_what_the_system_refuses(tmp_path: Path) -> None:
    """The kernel's folder takes no files of anybody, not even of root's."""
    with pytest.raises(OutputError, match=r"cannot write /proc/f\.csv"):
        check_file(Path("/proc/f.csv"))
    with pytest.raises(OutputError, match="cannot write into /proc"):
        check_folder(Path("/proc/deeper"))


@pytest.mark.parametrize(
    "words",
    [
        ["latency", "cache", "p.wav", "--json", "nowhere/f.json"],
        ["latency", "cache", "p.wav", "--plot", "nowhere/f.png"],
        ["inspect", "cache", "--plot", "nowhere/f.png"],
        ["demo", "--out", "file"],
        ["demo", "--plot", "nowhere/f.png"],
    ],
)
def test_commands_try_before_they_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """There is no cache and no recording: whoever began with them would complain of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(words) == 2
    assert "error: cannot write" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
