"""The dense-sparse frontier, live: `--method dense-sparse` (design 3.1).

`IncrementalDenseSparse` is the notebook's dense-sparse DTW, column by column. `DenseSparseFrontier` follows with it:
rows are the frames of the full mix that have piano by the classification, softly weighted; what lies between them is
a gap that the pianist's rest may cross at half to double speed. When the classification has changed, the frontier is
built anew over other rows from the live frames it keeps, a few columns per hop, beside the one in use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig, JsonConfig, require
from follower.errors import ConfigError
from follower.inference.base import Belief, Frame
from follower.inference.piano_classifier import MixClassifier
from follower.inference.rival_match import RivalMatch
from follower.kernels import dense_sparse as kernels
from follower.kernels import tempo_filter as score_kernels
from follower.piece.cache import Cache
from follower.signal.observation import (
    LiveObserver,
    Observation,
    ObservationConfig,
    PartWeights,
    StartConfig,
    observe_reference,
)
from follower.signal.start_detection import Progress, StartDetector, StartDetectorConfig

NOTEBOOK_WEIGHTS: Final = (1.0, 1.0, 2.0)
"""Of the steps (1, 1), (1, 2), (2, 1) in (rows, columns): each path pays once per row."""


class IncrementalDenseSparse:
    """Frontier of dense-sparse DTW over fixed rows, one column at a time.

    With `notebook_entry` in every column the result after column c is column c of the notebook's matrix D, exactly.

    Args:
        gaps: (n,) mix frames from each row to the next, >= 1.
        weights: of the dense steps (1, 1), (1, 2), (2, 1) in (rows, columns).

    Raises:
        ConfigError: no row, or a gap below 1.

    >>> frontier = IncrementalDenseSparse(np.array([1, 1]))
    >>> for column in ([1.0, 1.0], [3.0, 2.0]):
    ...     totals = frontier.update(np.array(column), notebook_entry(2))
    >>> totals.tolist()
    [3.0, 3.0]
    """

    def __init__(self, gaps: NDArray[np.int64], weights: tuple[float, float, float] = NOTEBOOK_WEIGHTS) -> None:
        self.gaps = np.asarray(gaps, np.int64)
        if self.gaps.ndim != 1 or len(self.gaps) == 0 or int(self.gaps.min()) < 1:
            raise ConfigError(f"gaps of shape {self.gaps.shape}: a frontier needs one row or more, gaps of 1 or more")
        self._weights = np.array(weights)
        self._offsets = np.concatenate([[0], np.cumsum(2 * self.gaps + 1)]).astype(np.int64)
        self._kept = np.empty(self._offsets[-1])
        self._queue = np.empty(self._offsets[-1], np.int64)
        self._heads = np.empty(len(self.gaps), np.int64)
        self._tails = np.empty(len(self.gaps), np.int64)
        self.totals = np.empty(len(self.gaps))
        """(n,) accumulated costs of the newest column; inf: cannot be reached."""
        self.reset()

    def reset(self) -> None:
        """Forget all columns; the same as a fresh frontier."""
        self._kept.fill(np.inf)
        self._heads.fill(0)
        self._tails.fill(0)
        self.totals.fill(np.inf)
        self.columns = 0
        self.steps = 0
        """Elementary steps done so far (for tests of the cost)."""

    def update(
        self,
        costs: NDArray[np.float64],
        entry: NDArray[np.float64],
        penalties: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> NDArray[np.float64]:
        """Take the next column.

        Args:
            costs: (n,) of the rows.
            entry: (n,) accumulated cost of a path that begins here; inf where none may.
            penalties: of the dense steps into this column, added to the path's cost.

        Returns:
            `totals`, (n,): valid until the next update.
        """
        self.steps += kernels.advance(
            self.columns,
            costs,
            entry,
            self.gaps,
            self._weights,
            np.array(penalties),
            self._offsets,
            self._kept,
            self._queue,
            self._heads,
            self._tails,
            self.totals,
        )
        self.columns += 1
        return self.totals


def notebook_entry(rows: int) -> NDArray[np.float64]:
    """Entry costs of the notebook's boundary: paths begin at row 0, in any column."""
    entry = np.full(rows, np.inf)
    entry[0] = 0.0
    return entry


def live_entry(rows: int, column: int) -> NDArray[np.float64]:
    """Entry costs of the live boundary: the first column may lie in any row; later ones as the notebook's."""
    return np.zeros(rows) if column == 0 else notebook_entry(rows)


@dataclass(frozen=True)
class DenseSparseConfig(JsonConfig):
    """Constants of the live frontier.

    Attributes:
        observation: what is compared, see `ObservationConfig`.
        start: when the piano counts as having begun.
        trial: what counts as a beginning when the start is unknown, see `StartDetectorConfig`.
        weights: of the match in each part of the observations.
        select_above: frames of the mix with at least this probability of piano are rows.
        least_gap_s: shorter stretches without rows are filled.
        soft_floor: a row's match counts w = soft_floor + (1 - soft_floor) * probability, and 1 - w of it is neutral:
        neutral_share: of the best match in a hop is the neutral one, so that rows in doubt neither draw nor repel.
        step_penalty: cost per column of a step whose slope is e times the present rate.
        jump_cost: of going on anywhere else in the mix.
        temperature: of the belief over places, from accumulated costs.
        silence: presence below which the piano counts as silent.
        hold_after_s: a silence this long is a pause where the mix has piano, and a rest elsewhere.
        hold_ahead_s: whether the mix has piano there is a mean over this long from the place on: before a rest the last
            notes still sound.
        hold_above: mean probability of piano from which the mix has it.
        stop_cost: of having stood still during a silence.
        stop_rest_cost: added to it where the mix has no piano.
        mode_reach: half width, in frames, of the window in which belief is summed to find the mode.
        mean_reach: half width, in frames, of the mean round the mode.
        concentration_s: half width of the belief's concentration.
        rate_s: span of the places from which the rate is read.
        lag_s: how much of a tempo other than the mix's the place is behind: (rate - 1) * lag_s is added. The windows'
            delay, and the steps' reluctance to leave the diagonal.
        lead_s: what the newest place is ahead on average; taken off.
        seek_spread_s: standard deviation of the place after a seek; far from it a beginning costs as much as a jump.
        history_s: live frames kept for building anew.
        rebuild_columns: columns built per hop.
        rebuild_change_s: mix frames (s) whose class must have changed for that.
        rebuild_pause_s: least time between two.
    """

    observation: ObservationConfig = field(default_factory=ObservationConfig)
    start: StartConfig = field(default_factory=StartConfig)
    trial: StartDetectorConfig = field(default_factory=StartDetectorConfig)
    weights: PartWeights = field(default_factory=lambda: PartWeights(sustain=0.5, onset=2.5, swell=1.5, salience=0.5))
    select_above: float = 0.1
    least_gap_s: float = 1.0
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


@dataclass(frozen=True)
class Selection:
    """The rows of a frontier.

    Attributes:
        rows: (m,) frames of the mix, increasing.
        gaps: (m,) frames from each row to the next; from the last one to the end of the mix.
        weights: (m,) how much each row's match counts.
        probability: (m,) of piano.
    """

    rows: NDArray[np.int64]
    gaps: NDArray[np.int64]
    weights: NDArray[np.float64]
    probability: NDArray[np.float64]


def select_rows(
    probability: NDArray[np.float32], select_above: float, least_gap_frames: int, soft_floor: float
) -> Selection:
    """Choose rows from the probability of piano (n,) at each frame of the mix.

    Stretches below `select_above` of at least `least_gap_frames` are left out; with nothing left, all frames are rows.

    >>> s = select_rows(np.array([0.9, 0.1, 0.9, 0.1, 0.1, 0.9], np.float32), 0.5, 2, 0.0)
    >>> s.rows.tolist(), s.gaps.tolist()
    ([0, 1, 2, 5], [1, 1, 3, 1])
    """
    n = len(probability)
    out = np.concatenate([[False], probability < select_above, [False]])
    first = np.flatnonzero(out[1:] & ~out[:-1])
    end = np.flatnonzero(out[:-1] & ~out[1:])
    keep = np.ones(n, np.bool_)
    for a, b in zip(first, end, strict=True):
        if b - a >= least_gap_frames:
            keep[a:b] = False
    if not keep.any():
        keep[:] = True
    rows = np.flatnonzero(keep).astype(np.int64)
    gaps = np.append(np.diff(rows), n - rows[-1]).astype(np.int64)
    chosen = probability[rows].astype(np.float64)
    return Selection(rows, gaps, soft_floor + (1.0 - soft_floor) * chosen, chosen)


class _Chain:
    """A frontier over one selection: the accumulated costs, and where in the gaps paths are."""

    def __init__(self, selection: Selection, entry: NDArray[np.float64], config: DenseSparseConfig) -> None:
        """`entry` (n,) is the cost of beginning at each frame of the mix."""
        # Costs are negative matches per column, so that every path to a column is made of equally many terms.
        self._costs = IncrementalDenseSparse(selection.gaps, (1.0, 2.0, 1.0))
        self._first_entry = entry[selection.rows]
        self._config = config
        self._silent = False
        self._resumed = 0
        self._standing = np.empty(len(selection.rows))
        self._standing_cost = config.stop_cost + config.stop_rest_cost * (1.0 - selection.probability)
        self._waiting = np.full(len(selection.rows), np.inf)
        self._since = np.zeros(len(selection.rows), np.int64)
        self._places = np.empty(len(entry))
        self.selection = selection

    def update(self, score: NDArray[np.float32], best: float, presence: float, rate: float) -> NDArray[np.float64]:
        """Take the match (n,) of a live frame with every mix frame; return the cost of being at each (n,).

        `best` is the largest match. `rate` is the present one: steps are penalised by how far their slope is from it.
        With steps of equal standing the newest place runs ahead of a slow pianist and lags behind a fast one.
        """
        s = self.selection
        neutral = self._config.neutral_share * best
        costs = -presence * (score[s.rows] * s.weights + (1.0 - s.weights) * neutral)
        column = self._costs.columns
        entry = self._first_entry if column == 0 else self._entry(presence)
        totals = self._costs.update(costs, entry, step_penalties(rate, self._config.step_penalty))
        kernels.place_costs(column, totals, s.rows, s.gaps, self._waiting, self._since, WAITING_MARGIN, self._places)
        return self._places

    @property
    def columns(self) -> int:
        """Live frames taken."""
        return self._costs.columns

    def _entry(self, presence: float) -> NDArray[np.float64]:
        """Entry costs (m,): a jump from the best row; after a silence also from where each row stood when it began."""
        c = self._config
        totals = self._costs.totals
        entry = np.full(len(totals), float(np.min(totals)) + c.jump_cost)
        if presence < c.silence:
            if not self._silent:
                self._standing[:] = totals
            self._silent, self._resumed = True, 0
        elif self._silent:
            np.minimum(entry, self._standing + self._standing_cost, out=entry)
            self._resumed += 1
            self._silent = self._resumed < RESUME_HOPS
        return entry


def step_penalties(rate: float, strength: float) -> tuple[float, float, float]:
    """Costs of the steps (1, 1), (1, 2), (2, 1): per column, the distance of the step's log slope from the rate's.

    >>> [round(p, 2) for p in step_penalties(1.0, 1.0)]
    [0.0, 1.39, 0.69]
    """
    at = math.log(rate)
    return strength * abs(at), 2.0 * strength * abs(at + LOG_2), strength * abs(at - LOG_2)


class _RecentPlaces:
    """The newest places of one unbroken run; their slope is the rate."""

    def __init__(self, n: int) -> None:
        self._places = np.zeros(n)
        self.reset()

    def reset(self) -> None:
        """Begin a new run."""
        self._count = 0

    def add(self, place: float, jump: float) -> None:
        """Take the next place (frames); one further off than `jump` begins a new run."""
        n = len(self._places)
        if self._count and abs(place - self._places[(self._count - 1) % n]) > jump:
            self._count = 0
        self._places[self._count % n] = place
        self._count += 1

    def slope(self) -> float:
        """Return frames per hop by least squares; 1 while the run is short."""
        n = min(self._count, len(self._places))
        if n < len(self._places) // 2:
            return 1.0
        order = (self._count - n + np.arange(n)) % len(self._places)
        t = np.arange(n) - (n - 1) / 2
        return float(np.sum(t * self._places[order]) / np.sum(t * t))


SCORE_BLOCK: Final = 512
"""Mix frames matched together: they stay in the first-level cache."""
WAITING_MARGIN: Final = 0.5
"""How much cheaper a path must arrive at a gap to take the place of one inside it."""
RESUME_HOPS: Final = 20
"""After a silence, paths that stood still may go on within this many hops (0.5 s) of sound."""
LOG_2: Final = math.log(2.0)
SLOWEST: Final = 0.5
FASTEST: Final = 2.0
"""Rates the steps can follow."""
JUMP_S: Final = 0.5
"""A place further off than this from the one before is a jump: the rate begins anew."""


class Observer(Protocol):
    """Turns the live piano's amplitudes into what is compared with the mix."""

    def observe(self, pitch: NDArray[np.float32]) -> Observation:
        """Take the amplitudes (88,) of the next hop."""

    @property
    def started(self) -> bool:
        """Whether anything has been played."""

    def wait(self) -> None:
        """Expect the piano to begin; what is known of its sound stays."""

    def reset(self) -> None:
        """Forget everything heard."""


class Parts(NamedTuple):
    """What a frontier needs of a prepared piece; see `DenseSparseFrontier`."""

    features: FeatureConfig
    reference: NDArray[np.float32]
    observer: Observer
    classifier: MixClassifier
    rest_tempo: NDArray[np.float64]


def prepare(cache: Cache, config: DenseSparseConfig) -> Parts:
    """Make the parts of a frontier from a cache."""
    features = cache.feature_config
    classifier = MixClassifier(
        cache.arrays["po_stream_mfcc"],
        cache.arrays["po_piano_activity"],
        cache.gmms["gmm_mix_orchestra"],
        cache.gmms["gmm_mix_piano"],
    )
    reference = observe_reference(cache.arrays["po_stream_pitch"], features.hop_s, config.observation)
    slope = cache.mix_map.slope_at(features.hop_s * np.arange(1, len(classifier.scores) + 1, dtype=np.float64))
    rest_tempo = np.where(slope > 0.0, 1.0 / np.clip(slope, 1.0 / FASTEST, 1.0 / SLOWEST), 1.0)
    observer = LiveObserver(features, reference, config.observation, config.start)
    return Parts(features, reference.features, observer, classifier, rest_tempo)


def create(cache: Cache) -> DenseSparseFrontier:
    """Make the frontier for a prepared piece."""
    config = DenseSparseConfig()
    return DenseSparseFrontier(*prepare(cache, config), config)


class DenseSparseFrontier:
    """A `Frontier`: dense-sparse DTW over the mix frames with piano. Work per hop linear in the mix, memory constant.

    Args:
        features: configuration of the stream.
        reference: (k, n) observations of the full mix, the parts one above the other.
        observer: makes the live observations, of the same parts.
        classifier: probability of piano at the same n frames; this frontier feeds it.
        rest_tempo: (n,) mix frames per hop while the orchestra leads.
        config: constants.
    """

    def __init__(
        self,
        features: FeatureConfig,
        reference: NDArray[np.float32],
        observer: Observer,
        classifier: MixClassifier,
        rest_tempo: NDArray[np.float64],
        config: DenseSparseConfig,
    ) -> None:
        self._rest_tempo = rest_tempo
        self._config = config
        self._hop_s = features.hop_s
        self._features = reference
        self._match = RivalMatch(reference, self._hop_s)
        self._start_detector = StartDetector(config.trial, self._hop_s)
        self._n = reference.shape[1]
        self._observer = observer
        self._classifier = classifier
        self._score = np.empty(self._n, np.float32)
        self._blocks = np.arange(-(-self._n // SCORE_BLOCK), dtype=np.int64)
        self._recent = _RecentPlaces(max(round(config.rate_s / self._hop_s), 4))
        history = max(round(config.history_s / self._hop_s), 1)
        self._kept_weights = np.zeros((history, len(reference)), np.float32)
        self._kept_presence = np.zeros(history)
        self._kept_places = np.zeros(history)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the same as a fresh frontier."""
        self._observer.reset()
        self._classifier.reset()
        self._entry = np.zeros(self._n)
        self._start_detector.reset()
        self._begin()

    def seek(self, mix_s: float) -> None:
        """Expect the piano to go on near this place of the mix (s)."""
        frame_s = self._hop_s * np.arange(1, self._n + 1)
        c = self._config
        self._entry = np.minimum(0.5 * ((frame_s - mix_s) / c.seek_spread_s) ** 2, c.jump_cost)
        self._start_detector.seek(self._observer.started)
        self._begin()

    def _begin(self) -> None:
        self._chain = _Chain(self._select(), self._entry, self._config)
        self._next_chain: _Chain | None = None
        self._recent.reset()
        self._match.reset()
        self._kept = 0
        self._built = 0
        self._since_rebuild = 0
        self._belief: Belief | None = None
        self._silent_s = 0.0
        self._resting = False
        self._rate = 1.0
        self._place = 0

    def _select(self) -> Selection:
        c = self._config
        gap = max(round(c.least_gap_s / self._hop_s), 2)
        return select_rows(self._classifier.piano_probability, c.select_above, gap, c.soft_floor)

    def coast(self, hops: int) -> None:
        """So many hops of audio were lost: paths go on unheard at the present rate, or stand still."""
        if self._belief is None:
            return
        self._next_chain = None
        self._match.reset()
        self._score.fill(0.0)
        unheard = np.zeros(len(self._features), np.float32)
        for _ in range(hops):
            costs = self._chain.update(self._score, 0.0, 0.0, self._rate)
            self._belief = self._read_out(costs, 0.0)
            self._keep(unheard, 0.0)

    def update(self, frame: Frame, claim_s: float | None = None) -> Belief:
        """Take the next hop of the live piano."""
        o = self._observer.observe(frame.pitch)
        if not o.started:
            return Belief(None, 1.0, 0.0, 0.0, 0.0)
        c = self._config
        self._silent_s = self._silent_s + self._hop_s if o.presence < c.silence else 0.0
        progress = self._start_detector.update(o.attack, self._silent_s)
        if progress is Progress.FORGET:
            self._observer.wait()
            self._begin()
            return Belief(None, 1.0, 0.0, 0.0, 0.0)
        self._classifier.update(frame.mfcc, o.presence)
        weights = c.weights.of(o)
        best = self._weigh(weights)
        costs = self._chain.update(self._score, best, o.presence, self._rate)
        if self._belief is None or self._silent_s < c.hold_after_s:
            self._resting = False
            self._belief = self._read_out(costs, o.presence)
        else:
            self._belief = self._wait(self._belief, o.presence)
        self._keep(weights, o.presence)
        self._rebuild()
        at_s = self._belief.mix_s if claim_s is None else claim_s
        heard = weights * np.float32(o.presence)
        told = replace(self._belief, margin=self._match.update(heard, self._belief.rate, at_s or 0.0))
        return replace(told, mix_s=None) if progress is Progress.TOO_EARLY else told

    def _keep(self, weights: NDArray[np.float32], presence: float) -> None:
        """Remember a live frame for building anew."""
        slot = self._kept % len(self._kept_presence)
        self._kept_weights[slot] = weights
        self._kept_presence[slot] = presence
        self._kept_places[slot] = self._place
        self._kept += 1

    def _wait(self, before: Belief, presence: float) -> Belief:
        """Belief in a long silence: a pause where the mix has piano, elsewhere a rest led by the orchestra."""
        assert before.mix_s is not None
        c = self._config
        # A rest that has begun lasts up to the piano's next entry in the mix.
        n_ahead = 1 if self._resting else max(round(c.hold_ahead_s / self._hop_s), 1)
        ahead = self._classifier.piano_probability[self._place : self._place + n_ahead]
        if float(np.mean(ahead, dtype=np.float64)) >= c.hold_above:
            return replace(before, rate=0.0, presence=presence, holding=1.0)
        self._resting = True
        rate = float(self._rest_tempo[self._place])
        mix_s = min(before.mix_s + rate * self._hop_s, self._n * self._hop_s)
        self._place = min(max(round(mix_s / self._hop_s) - 1, 0), self._n - 1)
        return replace(before, mix_s=mix_s, rate=rate, presence=presence, holding=0.0)

    def _weigh(self, weights: NDArray[np.float32]) -> float:
        """Fill `_score` with the match of a live frame with every mix frame; return the best."""
        return float(score_kernels.scores(self._features, weights, self._blocks, SCORE_BLOCK, self._score))

    def _read_out(self, costs: NDArray[np.float64], presence: float) -> Belief:
        c = self._config
        belief = kernels.beliefs(costs, c.temperature)
        self._place = mode = score_kernels.densest(belief, c.mode_reach)
        near = slice(max(mode - c.mean_reach, 0), mode + c.mean_reach + 1)
        frames = np.arange(self._n)[near]
        place = float(np.sum(belief[near] * frames, dtype=np.float64) / np.sum(belief[near], dtype=np.float64))
        wide = round(c.concentration_s / self._hop_s)
        concentration = min(float(np.sum(belief[max(mode - wide, 0) : mode + wide + 1], dtype=np.float64)), 1.0)
        self._recent.add(place, JUMP_S / self._hop_s)
        self._rate = rate = min(max(self._recent.slope(), SLOWEST), FASTEST)
        mix_s = (place + 1) * self._hop_s + (rate - 1) * c.lag_s - c.lead_s
        return Belief(max(mix_s, 0.0), rate, concentration, presence, 0.0)

    def _rebuild(self) -> None:
        """Build a frontier over the rows of the newest classification, some columns per hop, then take it."""
        c = self._config
        self._since_rebuild += 1
        if self._next_chain is None:
            if self._since_rebuild < c.rebuild_pause_s / self._hop_s or self._kept % CHECK_HOPS:
                return
            selection = self._select()
            changed = np.setxor1d(selection.rows, self._chain.selection.rows, assume_unique=True)
            if len(changed) < c.rebuild_change_s / self._hop_s:
                return
            self._built = max(self._kept - len(self._kept_presence), 0)
            place = self._kept_places[self._built % len(self._kept_presence)]
            away_s = (np.arange(self._n) - place) * self._hop_s
            self._next_chain = _Chain(selection, np.minimum(0.5 * (away_s / c.seek_spread_s) ** 2, c.jump_cost), c)
        for _ in range(c.rebuild_columns):
            slot = self._built % len(self._kept_presence)
            best = self._weigh(self._kept_weights[slot])
            self._next_chain.update(self._score, best, self._kept_presence[slot], self._rate)
            self._built += 1
            if self._built == self._kept:
                self._chain, self._next_chain = self._next_chain, None
                self._since_rebuild = 0
                return


CHECK_HOPS: Final = 43
"""The rows in use are compared with the classification once in this many hops."""
