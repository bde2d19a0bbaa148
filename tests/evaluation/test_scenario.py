from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from follower.errors import ScenarioError
from follower.evaluation.scenario import load_scenario
from follower.files.find import find_audio


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("p.flac", "o.ogg", "po.mp3"):
        (folder / name).touch()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


TRUTH = "p,o,po,measure,both\n1.0,10,30,1,1\n2.0,12,31,1.5,1\n3.0,14,32,2,0\n4.0,16,33,2.5,1\n"
P_BEATS = "start,measure\n0.5,0.75\n1.5,1.25\n2.5,1.75\n3.5,2.25\n4.5,2.75\n"


def test_evaluation_beats_are_those_at_which_both_sound(tmp_path: Path) -> None:
    """A beat counts where both sound in the first row of truth at or after it, within the rows."""
    scenario = load_scenario(_write(tmp_path / "a", truth_csv=TRUTH, p_beats=P_BEATS))
    np.testing.assert_array_equal(scenario.truth.beat_s, [1.5, 3.5])
    np.testing.assert_array_equal(scenario.truth.beat_orchestra_s, [11.0, 15.0])
    np.testing.assert_array_equal(scenario.truth.beat_mix_s, [30.5, 32.5])
    assert (scenario.name, scenario.piano.name, scenario.mix.name) == ("a", "p.flac", "po.mp3")
    assert scenario.stems is None
    assert scenario.map_truth is not None
    np.testing.assert_array_equal(scenario.map_truth.mix_s, [30.5, 32.5])


def test_map_truth_comes_from_the_beats_of_mix_and_orchestra(tmp_path: Path) -> None:
    o = "start,measure\n11.25,1.25\n15.25,2.25\n"
    po = "start,measure\n30.25,1.25\n32.25,2.25\n"
    scenario = load_scenario(_write(tmp_path / "a", truth_csv=TRUTH, p_beats=P_BEATS, o_beats=o, po_beats=po))
    assert scenario.map_truth is not None
    np.testing.assert_array_equal(scenario.map_truth.mix_s, [30.25, 32.25])
    np.testing.assert_array_equal(scenario.map_truth.orchestra_s, [11.25, 15.25])


def test_without_truth_the_shared_measures_join_the_recordings(tmp_path: Path) -> None:
    o = "start,measure\n20,1.25\n21,1.5\n22,2.25\n"
    scenario = load_scenario(_write(tmp_path / "a", p_beats=P_BEATS, o_beats=o))
    np.testing.assert_array_equal(scenario.truth.beat_s, [1.5, 3.5])
    np.testing.assert_array_equal(scenario.truth.beat_orchestra_s, [20.0, 22.0])
    assert np.isnan(scenario.truth.beat_mix_s).all()
    assert scenario.map_truth is None


def test_a_repeat_meets_the_orchestra_twice(tmp_path: Path) -> None:
    p = "start,measure\n1,1\n2,2\n3,1\n4,2\n"
    scenario = load_scenario(_write(tmp_path / "a", p_beats=p, o_beats="start,measure\n5,1\n6,2\n"))
    np.testing.assert_array_equal(scenario.truth.beat_orchestra_s, [5, 6, 5, 6])


def test_stems_are_found(tmp_path: Path) -> None:
    folder = _write(tmp_path / "a", truth_csv=TRUTH, p_beats=P_BEATS)
    (folder / "po_piano.ogg").touch()
    assert load_scenario(folder).stems is None
    (folder / "po_orchestra.wav").touch()
    assert load_scenario(folder).stems == (folder / "po_piano.ogg", folder / "po_orchestra.wav")


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3"])
def test_any_format_is_found(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"p{ending}").touch()
    assert find_audio(tmp_path, "p") == tmp_path / f"p{ending}"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "cannot read .*p.beats"),
        ({"p_beats": P_BEATS}, "cannot read .*o.beats"),
        ({"p_beats": P_BEATS, "o_beats": "start,measure\n1,7\n"}, "share 0 measures"),
        ({"p_beats": "start,measure\nx,1\n", "truth_csv": TRUTH}, "not a table of numbers"),
        ({"p_beats": "start,measure\n2,1\n1,2\n", "o_beats": "start,measure\n1,1\n2,2\n"}, "increasing seconds"),
        ({"p_beats": P_BEATS, "truth_csv": "p,o,po,measure,both\n1,2,3,4,1\n"}, "two or more rows"),
        ({"p_beats": P_BEATS, "truth_csv": TRUTH.replace("3.0,", "0.5,")}, r"p \(increasing\)"),
        ({"p_beats": P_BEATS, "truth_csv": TRUTH.replace("3.0,", "1e308,")}, r"1e\+308 in the column p"),
        ({"p_beats": "start,measure\n9,1\n", "truth_csv": TRUTH}, "no beat at which piano and orchestra both sound"),
    ],
)
def test_wrong_annotations_say_what_is_wrong(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load_scenario(_write(tmp_path / "a", **files))


def test_missing_folder_and_recording(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is not a scenario folder"):
        load_scenario(tmp_path / "nowhere")
    folder = _write(tmp_path / "a", truth_csv=TRUTH, p_beats=P_BEATS)
    (folder / "o.ogg").unlink()
    with pytest.raises(ScenarioError, match=r"has no o\.wav"):
        load_scenario(folder)
