"""`follower markers`: what the practice room keeps beside a cache, for other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from follower.cli import main
from follower.practice.companion import MARKERS, companion_of
from follower.practice.markers import Markers, read_markers


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "bach").mkdir()
    kept = Markers(companion_of(tmp_path / "bach") / MARKERS, 100.0)
    kept.set("B", 62.5)
    kept.set('Tutti, "forte"', 12.25)
    return tmp_path / "bach"


def test_they_are_printed_in_their_order(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["markers", str(cache)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (first,) = (n for n, line in enumerate(lines) if "Tutti" in line and "0:12.2" in line)
    (second,) = (n for n, line in enumerate(lines) if "B" in line and "1:02.5" in line)
    assert first < second


def test_they_are_written_for_other_programs(cache: Path, tmp_path: Path) -> None:
    csv, labels = tmp_path / "m.csv", tmp_path / "m.txt"
    assert main(["markers", str(cache), "--csv", str(csv), "--labels", str(labels)]) == 0
    assert read_markers(csv) == {'Tutti, "forte"': 12.25, "B": 62.5}
    rows = [line.split("\t") for line in labels.read_text(encoding="utf-8").splitlines()]
    assert [(float(a), float(b), name) for a, b, name in rows] == [(12.25, 12.25, 'Tutti, "forte"'), (62.5, 62.5, "B")]


def test_a_piece_without_markers_and_no_piece_at_all(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["markers", str(tmp_path / "empty"), "--csv", str(tmp_path / "e.csv")]) == 0
    assert read_markers(tmp_path / "e.csv") == {}
    assert main(["markers", str(tmp_path / "none")]) == 2
    assert "made by offline-prep" in capsys.readouterr().err
    (companion_of(cache) / MARKERS).write_text("something else", encoding="utf-8")
    assert main(["markers", str(cache)]) == 2
    assert "holds no markers" in capsys.readouterr().err
