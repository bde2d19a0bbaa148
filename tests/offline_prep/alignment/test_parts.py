"""Parts of the PO-O map on hand-made input: assembly, boundaries, joining of chains, bands, quality."""

from __future__ import annotations

import numpy as np
import pytest

from offline_prep.alignment.assembly import GRID_S, assemble
from offline_prep.alignment.boundaries import trim_ends
from offline_prep.alignment.coarse import Chain, Overview, band_round, distinctness, join_chains
from offline_prep.alignment.config import GapConfig
from offline_prep.alignment.features import HOP_S, Comparison
from offline_prep.alignment.path import SegmentRule
from offline_prep.alignment.quality import Fit, assess


def _line(mix_from: float, mix_to: float, orchestra_from: float, slope: float = 1.0) -> Chain:
    mix_s = np.arange(mix_from, mix_to + 1e-9, 0.5)
    return Chain(mix_s, orchestra_from + slope * (mix_s - mix_from))


def _level(seconds: float, quiet: tuple[float, float] | None = None) -> np.ndarray:
    rms = np.full(int(seconds / HOP_S), 0.1, np.float32)
    if quiet is not None:
        rms[int(quiet[0] / HOP_S) : int(quiet[1] / HOP_S)] = 1e-4
    return rms


def test_assembly_holds_at_the_quietest_moment() -> None:
    """O is matched up to 20 s and from 26 s on, silent from 23 to 24 s between; the mix plays 26 s more."""
    chains = (_line(0.0, 20.0, 0.0), _line(52.0, 70.0, 26.0))
    mix_s, orchestra_s = assemble(chains, 70.0, 44.0, _level(44.0, (22.9, 24.1)))
    still = (mix_s > 24.5) & (mix_s < 48.5)
    assert np.ptp(orchestra_s[still]) == 0.0 and 23.0 <= orchestra_s[still][0] <= 24.0
    assert np.interp(60.0, mix_s, orchestra_s) == pytest.approx(34.0)
    assert np.diff(mix_s).max() <= GRID_S + 1e-9
    assert np.diff(mix_s).min() >= 0.0 and np.diff(orchestra_s).min() >= 0.0


def test_assembly_jumps_over_silence() -> None:
    """O is silent from 20.5 to 30.5 s and loses 10 s against the mix: the jump leaves out just that."""
    chains = (_line(0.0, 20.0, 0.0), _line(21.0, 40.0, 31.0))
    mix_s, orchestra_s = assemble(chains, 40.0, 50.0, _level(50.0, (20.5, 30.5)))
    k = int(np.argmax(np.diff(orchestra_s)))
    assert orchestra_s[k] == pytest.approx(20.5, abs=0.1) and orchestra_s[k + 1] == pytest.approx(30.5, abs=0.1)
    assert mix_s[k] == pytest.approx(mix_s[k + 1])


def test_assembly_holds_outside_the_orchestra() -> None:
    """The mix starts 5 s before O and ends 7 s behind it."""
    mix_s, orchestra_s = assemble((_line(6.0, 30.0, 1.0),), 40.0, 28.0, _level(28.0))
    assert np.interp([0.0, 5.0, 33.0, 40.0], mix_s, orchestra_s) == pytest.approx([0.0, 0.0, 28.0, 28.0])


def test_chains_join_only_when_their_gaps_agree() -> None:
    joined = join_chains((_line(0.0, 20.0, 0.0), _line(23.0, 40.0, 24.0)), GapConfig())
    assert len(joined) == 1 and np.diff(joined[0].mix_s).min() > 0.0
    assert len(join_chains((_line(0.0, 20.0, 0.0), _line(40.0, 60.0, 21.0)), GapConfig())) == 2


def test_a_join_is_never_steeper_than_music() -> None:
    """0.5 s of mix against 5 s of O: knots beside the boundary are given up until the slope is at most 2."""
    (joined,) = join_chains((_line(0.0, 20.0, 0.0), _line(20.5, 40.0, 25.0)), GapConfig())
    slope = np.diff(joined.orchestra_s) / np.diff(joined.mix_s)
    assert slope.min() >= 0.5 and slope.max() <= 2.0


def test_short_chains_at_the_ends_are_dropped() -> None:
    kept = join_chains((_line(0.0, 2.0, 50.0), _line(30.0, 60.0, 0.0), _line(90.0, 93.0, 5.0)), GapConfig())
    assert [float(c.mix_s[0]) for c in kept] == [30.0]


def _boundary(gain: float, sounding: bool) -> tuple[Chain, ...]:
    """Boundary of two chains in mix 0..26 s and 28..50 s; from 20 to 30 s a frame gains `gain` over the median."""
    mix = np.zeros((500, 2), np.float32)
    mix[:, 0] = 1.0
    mix[200:300, 0] = gain + 0.5
    orchestra = np.zeros((520, 2), np.float32)
    orchestra[:, 0] = 1.0
    quiet = np.zeros(520, np.bool_) if sounding else np.ones(520, np.bool_)
    chains = (_line(0.0, 26.0, 0.0), _line(28.0, 50.0, 29.0))
    return trim_ends(chains, Comparison(mix, orchestra, 0.5, 0.1), quiet)


def test_boundaries_lie_where_the_match_ends() -> None:
    a, b = _boundary(-0.3, sounding=True)
    assert a.mix_s[-1] == pytest.approx(20.0, abs=0.6) and b.mix_s[0] == pytest.approx(30.0, abs=0.6)
    assert a.orchestra_s[-1] <= b.orchestra_s[0]


def test_boundaries_give_up_a_weak_match_only_where_nothing_sounds() -> None:
    """A little under the margin: the orchestra's own notes belong to a chain all the same, silence does not."""
    a, b = _boundary(0.0, sounding=True)
    assert a.mix_s[-1] > 25.0 and b.mix_s[0] < 29.0
    a, b = _boundary(0.0, sounding=False)
    assert a.mix_s[-1] < 20.6 and b.mix_s[0] > 29.4


def test_band_holds_its_chains_and_their_jumps() -> None:
    comparison = Comparison(np.zeros((600, 1), np.float32), np.zeros((900, 1), np.float32), 0.0, 0.1)
    rule = SegmentRule(rows=10, slopes=(1.0,), stiffness=1.0)
    chains = (_line(0.0, 25.0, 2.0), _line(30.0, 60.0, 50.0))
    first, width = band_round(chains, comparison, rule, 5.0)
    for chain in chains:
        at = chain.orchestra_s[::2] / 0.1
        node = chain.mix_s[::2].astype(int)
        assert np.all((first[node] <= at) & (at < first[node] + width))
    assert first.min() >= 0 and (first + width).max() <= 900


def test_distinctness_leaves_neighbouring_keys_out() -> None:
    views = tuple(Overview(t, s, ()) for t, s in ((0, 80.0), (1, 70.0), (5, 20.0)))
    assert distinctness(views) == 4.0


@pytest.mark.parametrize(
    ("arguments", "fit", "word"),
    [
        ((8.0, 1.0, 0.9, 0, 0.1, 60.0, 70.0), Fit.GOOD, None),
        ((1.1, 0.2, 0.8, 2, 2.0, 60.0, 70.0), Fit.DIFFERENT, "same piece"),
        ((1.4, 0.9, 0.8, 0, 0.0, 60.0, 70.0), Fit.DOUBTFUL, "loosely"),
        ((8.0, 1.0, 0.3, 0, 0.0, 60.0, 70.0), Fit.DOUBTFUL, "loosely"),
        ((8.0, 1.0, 0.9, -3, -3.1, 60.0, 70.0), Fit.GOOD, "3.1 semitones below"),
        ((8.0, 1.0, 0.9, 0, 0.0, 20.0, 70.0), Fit.DOUBTFUL, "lasts 20 s, the full mix 70 s"),
        ((8.0, 1.0, 0.9, 0, 0.0, 70.0, 20.0), Fit.DOUBTFUL, "lasts 70 s, the full mix 20 s"),
    ],
)
def test_quality(arguments: tuple[float, float, float, int, float, float, float], fit: Fit, word: str | None) -> None:
    found = assess(*arguments)
    assert found.fit is fit
    assert found.messages == () if word is None else word in found.messages[0]
