from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from follower.errors import AlignmentError, OutputError
from follower.evaluation.behaviour import behaviour
from follower.evaluation.estimates import Estimates
from follower.evaluation.plots import plot_evaluation
from follower.evaluation.systems.outcome import Outcome, nothing_found
from follower.evaluation.table import (
    ALL,
    alignment_table,
    behaviour_text,
    confidence_tables,
    error_table,
    note_lines,
    pool,
    pools,
    to_json,
)
from follower.terminal import plain_text


def _outcome(error: list[float], confidence: float = math.nan, notes: tuple[str, ...] = ()) -> Outcome:
    at = np.arange(0, 10, 0.05)
    shown = behaviour(Estimates.build(np.array([1.0]), np.array([1.0]), np.array([1.0])), at, at)
    known = shown if math.isfinite(confidence) else None
    return Outcome(np.array(error), np.where(np.isfinite(error), confidence, np.nan), known, 1.5, notes)


RESULTS = {
    "a_clean": {"live:tempo": _outcome([0.01, 0.06], 0.95), "naive": _outcome([0.3, 0.3])},
    "b_pause": {"live:tempo": _outcome([np.inf, 0.6, 0.1], 0.7), "naive": _outcome([9.0, 0.0, 0.0], notes=("odd",))},
}


def test_pooling_counts_beats_not_scenarios() -> None:
    pooled = pool([systems["live:tempo"] for systems in RESULTS.values()])
    assert pooled.summary.beats == 5
    assert pooled.summary.median_ms == 100.0
    assert pooled.summary.over_pct == (80.0, 40.0, 40.0, 40.0, 20.0, 20.0)
    assert pooled.compute_s == 3.0
    assert pooled.coverage[0].coverage_pct == 80.0


def test_pools_by_pattern() -> None:
    pooled = pools(RESULTS, ["a_*,*_pause", "*_clean", "nothing*"])
    assert list(pooled) == [ALL, "a_*,*_pause", "*_clean"]
    assert pooled["*_clean"]["naive"].summary.beats == 2
    assert pooled["a_*,*_pause"]["naive"].summary == pooled[ALL]["naive"].summary


def test_the_text_has_a_line_per_scenario_system_and_pool() -> None:
    lines = plain_text(error_table(RESULTS, pools(RESULTS, ["*_clean"]))).splitlines()
    assert len(lines) == 2 + 4 + 1 + 4
    assert lines[2].split()[:5] == ["a_clean", "live:tempo", "2", "35.0", "35.0"]
    assert lines[3].split()[-5:] == ["-"] * 5
    assert lines[6] == ""
    assert note_lines(RESULTS) == ["note: b_pause, naive: odd"]


def test_confidences_have_their_own_table() -> None:
    (title, coverage), (_, calibration) = confidence_tables(pools(RESULTS, [])[ALL])
    assert title == "live:tempo: estimates above a confidence"
    assert plain_text(coverage).splitlines()[1].split() == ["0.00", "80.0", "80.0", "25.00", "25.00", "0.00"]
    assert calibration.row_count == 10


def test_behaviour_in_words() -> None:
    text = behaviour_text(pools(RESULTS, [])[ALL])
    assert text.startswith("live:tempo: pauses noticed 0/0; left 0/0; jumps of the pianist noticed 0/0; followed 0/0\n")
    assert "naive" not in text


def test_beats_at_large_changes_of_tempo_are_reported_by_themselves() -> None:
    changing = replace(RESULTS["b_pause"]["live:tempo"], tempo_changes=np.array([False, True, True]))
    results = {"a": {"live:tempo": RESULTS["a_clean"]["live:tempo"]}, "b": {"live:tempo": changing}}
    text = behaviour_text(pools(results, [])[ALL])
    assert "at 2 beats that are over a quarter longer or shorter than the one before: median 350.0 ms" in text
    assert "over 100 / 200 / 500 ms 50.0 / 50.0 / 50.0 %" in text
    data = to_json(results, pools(results, []), {})
    assert data["pooled"][ALL]["live:tempo"]["tempo_changes"]["beats"] == 2
    assert "tempo_changes" not in data["scenarios"]["a"]["live:tempo"]


def test_json_is_strict_and_complete() -> None:
    data = to_json(RESULTS, pools(RESULTS, []), {"start": "auto"})
    back = json.loads(json.dumps(data, allow_nan=False))
    assert back["settings"] == {"start": "auto"}
    assert back["scenarios"]["b_pause"]["live:tempo"]["errors_s"] == [None, 0.6, 0.1]
    assert back["scenarios"]["b_pause"]["naive"]["notes"] == ["odd"]
    assert back["pooled"][ALL]["live:tempo"]["over_200_ms_pct"] == 40.0
    assert len(back["pooled"][ALL]["live:tempo"]["calibration"]) == 10
    assert "calibration" not in back["pooled"][ALL]["naive"]


@pytest.mark.parametrize("systems", [["naive"], ["live:tempo", "naive"]])
def test_the_plot_is_a_picture(tmp_path: Path, systems: list[str]) -> None:
    pooled = {s: pools(RESULTS, [])[ALL][s] for s in systems}
    plot_evaluation(pooled, tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_cannot_be_written(tmp_path: Path) -> None:
    for name in ("nowhere/e.png", "e.text"):
        with pytest.raises(OutputError, match="cannot write the plot"):
            plot_evaluation(pools(RESULTS, [])[ALL], tmp_path / name)


def test_heard_beats_are_summed_up_by_themselves_also_where_nothing_was_found() -> None:
    heard = np.array([True, False])
    right = replace(_outcome([0.02, 5.0]), heard=heard, target_s=np.array([1.0, 2.0]))
    nothing = nothing_found(np.array([1.0, 2.0]), AlignmentError("no path"), heard)
    pooled = pool([right, nothing])
    assert pooled.heard is not None and pooled.alignment is not None
    assert pooled.heard.beats == 2 and pooled.heard.over_pct == (50.0,) * 6
    assert pooled.alignment.estimated_pct == 50.0
    document = pooled.to_json()
    assert document["heard"]["bias_ms"] == 20.0 and document["alignment"]["correct_100_ms_pct"] == 25.0
    lines = plain_text(alignment_table({ALL: {"live": pooled, "mix": pool([_outcome([0.1])])}})).splitlines()
    assert lines[-2].split()[:3] == [ALL, "live", "2"] and "20.0" in lines[-2]
    assert lines[-1].split() == [ALL, "mix", *13 * ["-"]]
