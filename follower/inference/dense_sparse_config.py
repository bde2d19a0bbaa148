"""Constants of the live dense-sparse frontier."""

from __future__ import annotations

from dataclasses import dataclass, field

from follower.config import JsonConfig, require
from follower.signal.observation import ObservationConfig, PartWeights, StartConfig
from follower.signal.start_detection import StartDetectorConfig


@dataclass(frozen=True)
class DenseSparseConfig(JsonConfig):
    """Constants of the live frontier.

    Attributes:
        observation: what is compared, see `ObservationConfig`.
        start: when the piano counts as having begun.
        start_detection: what counts as a beginning when the start is unknown, see `StartDetectorConfig`.
        weights: weights of the match in each part of the observations.
        select_above: frames of the mix with at least this probability of piano are rows.
        min_gap_s: stretches without rows that are shorter than this are filled with rows.
        soft_floor: weight of a row's match where piano is impossible; it rises to 1 with the probability of piano.
        neutral_share: the part of a row's match that its weight leaves out is replaced by this share of the best match
            in the hop, so that rows in doubt neither draw nor repel.
        step_penalty: cost per column of a step whose slope is e times the present rate.
        jump_cost: cost of going on anywhere else in the mix.
        temperature: accumulated cost that divides a position's posterior by e.
        silence: presence below which the piano counts as silent.
        hold_after_s: a silence this long is a pause where the mix has piano, and a rest elsewhere.
        hold_ahead_s: span after the position over which the mix's probability of piano is averaged to decide between
            pause and rest: just before a rest the last notes still sound.
        hold_above: mean probability of piano from which the mix has it.
        stop_cost: cost of having stood still during a silence.
        stop_rest_cost: extra cost of having stood still where the mix has no piano.
        mode_reach: half width, in frames, of the window in which the posterior is summed to find the mode.
        mean_reach: half width, in frames, of the mean round the mode.
        concentration_s: half width of the span round the mode whose share of the posterior is the concentration.
        rate_s: span of the positions from which the rate is read.
        lag_s: delay per unit of (rate - 1), added to the position: the windows' delay, and the steps' reluctance to
            leave the diagonal.
        lead_s: subtracted from every position, which is ahead by this much on average.
        seek_spread_s: standard deviation of the position after a seek; far from it an entry costs as much as a jump.
        history_s: live frames kept for building path costs anew.
        rebuild_columns: columns built per hop.
        rebuild_change_s: duration of the mix whose class must have changed before path costs are built anew.
        rebuild_pause_s: minimum time between the end of a rebuild and the start of the next.
    """

    observation: ObservationConfig = field(default_factory=ObservationConfig)
    start: StartConfig = field(default_factory=StartConfig)
    start_detection: StartDetectorConfig = field(default_factory=StartDetectorConfig)
    weights: PartWeights = field(default_factory=lambda: PartWeights(sustain=0.5, onset=2.5, swell=1.5, salience=0.5))
    select_above: float = 0.1
    min_gap_s: float = 1.0
    soft_floor: float = 0.75
    neutral_share: float = 0.5
    step_penalty: float = 0.6
    jump_cost: float = 40.0
    temperature: float = 1.5
    silence: float = 0.1
    hold_after_s: float = 1.0
    hold_ahead_s: float = 2.0
    hold_above: float = 0.5
    stop_cost: float = 2.0
    stop_rest_cost: float = 4.0
    mode_reach: int = 5
    mean_reach: int = 10
    concentration_s: float = 0.5
    rate_s: float = 2.0
    lag_s: float = 0.1
    lead_s: float = 0.025
    seek_spread_s: float = 3.0
    history_s: float = 15.0
    rebuild_columns: int = 2
    rebuild_change_s: float = 2.0
    rebuild_pause_s: float = 10.0

    def __post_init__(self) -> None:
        """Check the fields that could break the arithmetic.

        Raises:
            ConfigError: a field is out of range.
        """
        for name in ("temperature", "jump_cost", "seek_spread_s", "rate_s", "history_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        require(self.rebuild_columns >= 2, "rebuild_columns", self.rebuild_columns, "2 or more, to catch up")
