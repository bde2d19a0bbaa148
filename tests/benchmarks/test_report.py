"""The documents' tables are what benchmarks/results give, and a figure that nothing backs is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import report, results


@pytest.mark.parametrize("path", report.DOCUMENTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_table_is_what_the_results_give(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert report.TABLE.search(text), "it has tables"
    assert text == report.regenerate(text), "run python -m benchmarks.report"


def test_every_result_is_shown() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in report.DOCUMENTS)
    for path in results.FOLDER.glob("*.json"):
        assert f"benchmarks/results/{path.name}" in shown, f"{path.name} is in no table"


def test_a_changed_cell_is_found() -> None:
    text = report.DOCUMENTS[1].read_text(encoding="utf-8")
    changed = text.replace("| live:tempo |", "| live:better |", 1)
    assert changed != text and report.regenerate(changed) == text


def test_a_figure_without_a_result_is_found() -> None:
    text = report.DOCUMENTS[0].read_text(encoding="utf-8")
    assert report.unbacked(text) == []
    assert report.unbacked(text + "\nIt takes 7.5 ms and 3 % of the time.\n") == ["7.5 ms", "3 %"]


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(SystemExit, match="no table 'nothing'"):
        report.regenerate("<!-- table: nothing -->\n<!-- end of table -->")


def test_what_was_recorded_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    found = {
        "scenarios": 1, **dict.fromkeys(results.FIGURES, 1.5), "behaviour": {"lock_s": 0.5, "recovery_s": []},
        "coverage": [{"confidence": 0.5}], "errors_s": [0.1],
    }  # fmt: skip
    settings = {"costs": [{"system": "ours", "peak_mb": 190}]}
    measured = {
        "settings": settings,
        "scenarios": {"a": {"live:tempo": found}},
        "pooled": {"all": {"live:tempo": found}},
    }
    results.record("x", measured, "a command")
    loaded = results.load("x")
    assert loaded.command == "a command"
    assert set(loaded.tables) == {"pooled", "scenarios", "coverage", "calibration", "costs"}
    assert loaded.tables["costs"] == settings["costs"]
    row = loaded.tables["pooled"][0]
    assert (row["group"], row["system"], row["median_ms"], row["lock_s"]) == ("all", "live:tempo", 1.5, 0.5)
    assert "errors_s" not in row and loaded.tables["coverage"][0]["confidence"] == 0.5
    assert json.loads((tmp_path / "x.json").read_text())["commit"]
    with pytest.raises(SystemExit, match="is missing"):
        results.load("y")


def test_the_recorded_command_names_no_folder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.orig_argv", ["/x/python", "-m", "benchmarks.a", str(tmp_path / "bach"), "--level", "-3"])
    results.record("x", [{"a": 1}])
    assert results.load("x").command == "python -m benchmarks.a bach --level -3"
