"""An evaluation by a scheduler's workers gives what processes here give; one bad scenario does not stop the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from follower.cli import main


def without_times(data: Any) -> Any:
    """What was measured, without how long it took."""
    if isinstance(data, dict):
        return {key: without_times(value) for key, value in data.items() if key != "compute_s"}
    return [without_times(value) for value in data] if isinstance(data, list) else data


def test_a_cluster_gives_the_same_and_a_bad_scenario_is_told(
    short_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from distributed import LocalCluster

    bad = tmp_path / "bad"
    shutil.copytree(short_demo, bad)
    (bad / "o.wav").write_bytes(b"RIFF")
    words = ["evaluate", "--system", "map", "--cache-dir", str(tmp_path / "caches")]
    assert main([*words, str(short_demo), "--jobs", "1", "--json", str(tmp_path / "here.json")]) == 0
    capsys.readouterr()
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        there = ["--scheduler", local.scheduler_address, "--json", str(tmp_path / "there.json")]
        code = main([*words, str(bad), str(short_demo), *there])
    err = capsys.readouterr().err
    assert code == 2 and "1 of 2 scenarios could not be evaluated" in err
    assert "dashboard: " in err and "failed: bad: " in err
    here, found = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("here", "there"))
    assert without_times(found["scenarios"]) == without_times(here["scenarios"])
