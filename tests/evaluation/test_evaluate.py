"""The command's own checks: nothing is computed before they pass. What it computes is tested in test_systems.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from follower.cli import main
from follower.evaluation.systems.workbench import Settings


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("follower.evaluation.parallel.evaluate_scenarios", fail)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "argument --jobs: 0 is too few"),
        (["--system", "best"], "unknown system 'best'"),
        (["--json", "nowhere/e.json"], "there is no folder"),
        (["--plot", "nowhere/e.png"], "there is no folder"),
        (["--plot", "e.xyz"], "its ending names no format; give a file ending in .png"),
        (["--json", "."], "it is no file you may write"),
        (["--out", "file/deeper"], "it is no folder"),
    ],
)
def test_wrong_options(
    short_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    options: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["evaluate", str(short_demo), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err


def test_a_scenario_given_twice(short_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(short_demo), str(short_demo)]) == 2
    assert "two scenarios are named short_demo" in capsys.readouterr().err


def test_options_become_settings(short_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], list[str], Settings, int]] = []

    def spy(
        scenarios: list[object], systems: list[str], settings: Settings, jobs: int, *_: object
    ) -> dict[str, object]:
        seen.append(([str(s) for s in scenarios], systems, settings, jobs))
        raise KeyboardInterrupt

    monkeypatch.setattr("follower.evaluation.parallel.evaluate_scenarios", spy)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = ["--system", "live", "--system", "naive", "--system", "live:tempo", "--start", "known",
               "--start-offset", "0:03", "--no-stems", "--rebuild", "--jobs", "1"]  # fmt: skip
    assert main(["evaluate", str(short_demo), *options]) == 130
    ((_, systems, settings, jobs),) = seen
    assert systems == ["live:tempo", "naive"]
    assert jobs == 1
    assert settings == Settings(tmp_path / "concerto-follower" / "evaluate", True, 3.0, False, True, None, quick=False)
