"""Beats as programs, Sonic Visualiser and Audacity write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ScenarioError
from follower.evaluation.beat_files import measured_beats, read_beats
from follower.evaluation.scenario import load_scenario

SAME = {
    "ours": "start,measure\n0.5,12.25\n1.25,12.5\n2,13\n",
    "ours, columns in another order": "measure,note,start\n12.25,x,0.5\n12.5,,1.25\n13,y,2\n",
    "Sonic Visualiser, time instants": "0.500000000,12.25\n1.250000000,12.5\n2.000000000,13\n",
    "Sonic Visualiser, with a header": "TIME,LABEL\n0.500000000,12.25\n1.250000000,12.5\n2.000000000,13\n",
    "Sonic Visualiser, time values": "0.500000000,12.25,New Point\n1.250000000,12.5,New Point\n2.000000000,13,\n",
    "Sonic Visualiser, values with labels": "0.5,1,12.25\n1.25,2,12.5\n2,3,13\n",
    "Sonic Visualiser, values and a header": "TIME,VALUE,LABEL\n0.5,1,12.25\n1.25,2,12.5\n2,3,13\n",
    "Audacity": "0.500000\t0.500000\t12.25\n1.250000\t1.500000\t12.5\n2.000000\t2.000000\t13\n",
    "Audacity, a spectral selection": "0.5\t0.5\t12.25\n\\\t100\t200\n1.25\t1.5\t12.5\n2.0\t2.0\t13\n",
    "Audacity, decimal commas": "0,500000\t0,500000\t12,25\n1,250000\t1,5\t12,5\n2,0\t2,0\t13\n",
    "Windows": "\ufeffstart,measure\r\n0.5,12.25\r\n1.25,12.5\r\n\r\n2,13\r\n",
}


@pytest.mark.parametrize("name", SAME)
def test_every_notation_says_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / "o.beats"
    path.write_text(SAME[name], encoding="utf-8", newline="")
    beats = measured_beats(path)
    np.testing.assert_array_equal(beats.start_s, [0.5, 1.25, 2.0])
    np.testing.assert_array_equal(beats.measure, [12.25, 12.5, 13.0])


@pytest.mark.parametrize(
    "text", ["0.5\n1.0\n", "0.5,New Point\n1.0,\n", "0.5\t0.7\t\n1.0\t1.0\tx\n", "start\n0.5\n1\n"]
)
def test_beats_without_measures(tmp_path: Path, text: str) -> None:
    """The end of an Audacity label is no measure."""
    path = tmp_path / "p.beats"
    path.write_text(text)
    beats = read_beats(path)
    np.testing.assert_array_equal(beats.start_s, [0.5, 1.0])
    assert np.isnan(beats.measure).all()
    with pytest.raises(ScenarioError, match=r"the beat at 0\.5 s in .*p\.beats has no measure"):
        measured_beats(path)


def test_a_measure_that_no_score_has_is_none(tmp_path: Path) -> None:
    """Rounding it would overflow."""
    path = tmp_path / "p.beats"
    path.write_text("0.5,1e308\n1.5,2\n")
    assert np.isnan(read_beats(path).measure).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no beats"),
        ("start,measure\n", "has no beats"),
        ("beat,bar\n1,2\n", "line 1 has 'beat' where its seconds should be"),
        ("start,measure\n1,1\n\n1,2\n", "line 4 of .* is not later than the line before"),
        ("0.5,1\nabc,2\n", "line 2 has 'abc'"),
        ("0.5,1\nnan,2\n", "line 2 has 'nan'"),
        ("0.5,1\n1e308,2\n", "line 2 has '1e308'"),
        ("-1e308,1\n1e308,2\n", "line 1 has '-1e308'"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.beats"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=message):
        read_beats(path)


def test_a_measure_annotated_twice_names_no_place(tmp_path: Path) -> None:
    for name in ("p.wav", "o.wav", "po.wav"):
        (tmp_path / name).touch()
    (tmp_path / "p.beats").write_text("1,4.1\n2,4.2\n")
    (tmp_path / "o.beats").write_text("1,4.1\n2,4.2\n3,4.10\n")
    with pytest.raises(ScenarioError, match=r"has the measure 4\.1 more than once.*4\.10 are the same number"):
        load_scenario(tmp_path)


@given(st.text(alphabet='0123456789.,-\t\n\\"eENaIinfstartmeu ', max_size=60))
def test_any_text_is_beats_or_a_scenario_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.beats"
    path.write_text(text, encoding="utf-8")
    try:
        beats = read_beats(path)
    except ScenarioError:
        return
    assert len(beats.start_s) > 0 and np.isfinite(beats.start_s).all() and (np.diff(beats.start_s) > 0).all()
