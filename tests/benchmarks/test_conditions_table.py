"""benchmarks/evaluation/conditions_table.py: what is counted, and how it is printed."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from follower.errors import ScenarioError

RATE_HZ = 8000
HOP_S = 0.05


@pytest.fixture
def conditions_table() -> ModuleType:
    return importlib.import_module("benchmarks.evaluation.conditions_table")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 s of piano, silent from 6 to 12 s while the orchestra plays on."""
    out = tmp_path / "piece--clean"
    out.mkdir()
    samples = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE_HZ)
    samples[6 * RATE_HZ : 12 * RATE_HZ] = 0
    soundfile.write(out / "p.wav", samples, RATE_HZ)
    p = np.arange(0.0, 20.0, HOP_S)
    rows = np.array([p, p + 5, p + 3, p / 2, (p < 6.0) | (p >= 12.0)])
    np.savetxt(out / "truth.csv", rows.T, "%.4f", ",", header="p,o,po,measure,both", comments="")
    return out


def write_positions(path: Path, orchestra_until_s: float, good_from_s: float) -> None:
    """States of a follower that calls the rest's begin `orchestra` and locks at some time after it."""
    path.parent.mkdir(parents=True)
    lines = ["audio_time_s,orchestra_time_s,mix_time_s,rate,confidence,state", "0.5,,,1,0,waiting"]
    for at in np.arange(1.0, 20.0, HOP_S):
        state = "orchestra" if 6.5 < at < orchestra_until_s else "following"
        off = 0.0 if at < 6.5 or at >= good_from_s else 2.0
        lines.append(f"{at:.3f},{at + 5 + off:.3f},{at + 3:.3f},1,0.9,{state}")
    path.write_text("\n".join(lines) + "\n")


def outcome(errors_s: list[float | None], **behaviour: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"lock_s": 1.0, "jumps": 0, "false_jumps": 0}
    empty |= {"noticed_s": [], "recovery_s": [], "paused_s": [], "resumed_s": []}
    return {"errors_s": errors_s, "behaviour": empty | behaviour}


def test_rests_and_reentries_are_timed(conditions_table: ModuleType, folder: Path, tmp_path: Path) -> None:
    positions = tmp_path / "results" / "positions.csv"
    write_positions(positions, orchestra_until_s=9.75, good_from_s=12.7)
    total, called, reentries = conditions_table.rest_states(folder, positions)
    assert total == pytest.approx(4.45, abs=0.1)  # 7.5 .. 11.95 s
    assert called / total == pytest.approx(0.5, abs=0.03)
    assert reentries == [pytest.approx(0.75, abs=0.06)]


def test_a_line_adds_up_its_scenarios(conditions_table: ModuleType, folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_positions(results / folder.name / "live-tempo" / "positions.csv", 12.0, 14.0)
    live = outcome(
        [0.03, 0.15, None, 0.05], jumps=3, false_jumps=1, paused_s=[1.0, None], resumed_s=[0.4, 0.6], noticed_s=[3.5]
    )
    evaluation = {"scenarios": {folder.name: {"live:tempo": live, "naive": outcome([0.2, 0.2, 0.6, 0.9])}}}
    gathered = conditions_table.gather(evaluation, [folder], results, "live:tempo")
    text = conditions_table.table(conditions_table.cells_by_head(gathered, "live:tempo"))
    head, _, row = text.splitlines()
    cells = dict(zip(head.replace("\\|", "and").split(" | "), row.replace("\\|", "and").split(" | "), strict=True))
    assert cells["median ms"] == "100" and cells[">100 %"] == "50.0" and cells[">500 %"] == "25.0"
    assert cells["jumps / false"] == "3 / 1"
    assert cells["noticed"] == "0/1, 3.5 s"
    assert cells["paused"] == "1/2, 1.0 s" and cells["resumed"] == "1/2, 0.5 s"
    assert cells["re-entry"].startswith("0/1, ")
    assert float(cells["re-entry"].split()[1]) == pytest.approx(2.05, abs=HOP_S + 1e-9)
    assert cells["rest %"] == "100"
    assert row.endswith("400 \\| 50 |")


def test_a_folder_that_was_not_evaluated_is_named(conditions_table: ModuleType, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="piece--clean was not evaluated with live:tempo"):
        conditions_table.gather({"scenarios": {}}, [folder], tmp_path, "live:tempo")
