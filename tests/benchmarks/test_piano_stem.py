"""The fit of the piano stem's share: who is compared with whom."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.inference.piano_stem import ALL, SHARES, STARTS, Followed, estimates, rows_of
from follower.events import Position, State
from follower.piece.mix_map import MixMap
from follower.testing import assemble_piece


def test_each_share_is_judged_by_itself_and_all_scenarios_together() -> None:
    """Every error is its share of a second, more by 0.1 s from an unknown start; in the orchestra it is twice that."""
    runs = []
    for scenario, n_beats in (("a", 3), ("b", 5)):
        for start in STARTS:
            for share in SHARES:
                error_s = np.full(n_beats, -share - 0.1 * (start == "unknown"))
                runs.append(Followed(scenario, start, share, error_s, 2 * error_s))
    rows = rows_of(runs)
    assert len(rows) == 3 * len(STARTS) * len(SHARES)
    (row,) = [r for r in rows if (r["scenario"], r["start"], r["share"]) == (ALL, "known", "0.25")]
    assert row["beats"] == 8
    assert (row["mix_median_ms"], row["orchestra_median_ms"]) == (250.0, 500.0)
    assert (row["mix_over_200_ms_pct"], row["mix_over_500_ms_pct"]) == (100.0, 0.0)
    (row,) = [r for r in rows if (r["scenario"], r["start"], r["share"]) == ("b", "unknown", "0")]
    assert (row["beats"], row["mix_median_ms"], row["orchestra_over_100_ms_pct"]) == (5, 100.0, 100.0)


def test_positions_move_on_in_the_mix_at_the_mixs_rate() -> None:
    """The orchestra recording is twice as slow as the mix: its rate is twice the mix's."""
    mix_s = np.array([0.0, 10.0])
    piece = assemble_piece(MixMap(2 * mix_s, mix_s, np.ones(2)))
    found = [Position(0, 22050 * k, 22050, 2.0 * k, float(k), 2.0, 1.0, State.FOLLOWING) for k in range(1, 4)]
    in_mix, in_orchestra = estimates(found, piece)
    assert in_mix.rate == pytest.approx([1.0] * 3) and in_orchestra.rate == pytest.approx([2.0] * 3)
    assert in_mix.position_s == pytest.approx([1.0, 2.0, 3.0])
    assert in_orchestra.position_s == pytest.approx([2.0, 4.0, 6.0])
