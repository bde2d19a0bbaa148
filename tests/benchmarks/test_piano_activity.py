"""Frames are labelled by the live piano, and the fit finds what tells them apart."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.offline_prep import piano_activity as fitting
from benchmarks.offline_prep.piano_activity import Frames
from follower.evaluation.scenario import Truth
from offline_prep.piano_activity import SIGNS

HOP_S = 0.02


def test_a_frame_is_labelled_where_the_live_piano_plays_the_same_music() -> None:
    at_s, none = np.arange(0.0, 20.0, 0.05), np.empty(0)
    truth = Truth(at_s, at_s, 2 * at_s, none, none, none)  # the mix takes twice as long
    presence = np.where((np.arange(1000) * HOP_S >= 5) & (np.arange(1000) * HOP_S < 8), 0.0, 1.0)
    label = fitting.labels(presence, truth, np.array([-1.0, 6.0, 12.0, 14.0, 30.0, 50.0]), HOP_S)
    assert label.tolist() == [-1, 1, 0, 0, 1, -1]


def _frames(work: str, seed: int, rests: int) -> Frames:
    rng = np.random.default_rng(seed)
    piano = np.arange(400) >= rests
    x = rng.normal(0, 1, (400, len(SIGNS)))
    x[:, 2] += np.where(piano, 1.5, -1.5)
    return Frames(work, x, np.full(400, 0.5), piano)


def test_the_fit_finds_the_sign_that_tells_and_works_are_judged_by_the_others() -> None:
    recordings = [_frames(work, seed, 60) for seed, work in enumerate(("bach", "haydn", "liszt", "ravel"))]
    config = fitting.fit(recordings)
    assert np.argmax(config.weights) == 2 and config.weights[2] == pytest.approx(3.0, abs=0.8)
    rows = {row["rule"]: row for row in fitting.compare(recordings)}
    assert rows["unexplained share alone"]["area_under_roc"] == 0.5
    unseen = rows["each work by the others' fit"]
    # Three standard deviations apart: 6.7 % on the wrong side of the middle.
    assert unseen["rests_called_piano_pct"] == pytest.approx(6.7, abs=4)
    assert unseen["piano_called_rest_pct"] == pytest.approx(6.7, abs=4)


def test_both_classes_count_the_same_and_a_recording_without_rests_has_none() -> None:
    recordings = [_frames("bach", 0, 60), _frames("haydn", 1, 3)]
    share, piano = fitting.shares(recordings), np.concatenate([r.piano for r in recordings])
    assert share[piano].sum() == pytest.approx(share[~piano].sum())
    assert share[400:403].max() == 0
