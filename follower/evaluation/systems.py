"""Systems under test: each turns a scenario into errors at its evaluation beats. One line in `SYSTEMS` adds another."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from follower.engine import Engine
from follower.errors import AlignmentError, ConfigError, OutputError, ScenarioError
from follower.evaluation.metrics import Behaviour, Claims, behaviour, live_errors, mix_target
from follower.evaluation.scenario import Scenario
from follower.events import Event, Position
from follower.files.csv_positions import HEADER, position_row
from follower.files.source import FileSource
from follower.inference.base import DEFAULT_METHOD, METHODS
from follower.piece.cache import Cache, load_cache
from follower.session.runner import run

if TYPE_CHECKING:
    from offline_prep.notebook.features import NotebookFeatures
    from offline_prep.notebook.system import NaiveResult, NotebookResult

HOP_SAMPLES: Final = 512
"""Of the notebook's features."""
MIN_SLOPE: Final = 0.05
"""Below it the orchestra stands still in the map, and its rate says nothing about the mix's."""


@dataclass(frozen=True)
class Settings:
    """How scenarios are evaluated.

    Attributes:
        cache_folder: where prepared caches are kept between runs.
        start_known: tell the engine where the pianist begins.
        start_offset_s: what is added to the true start, to see how exact it has to be.
        use_stems: prepare with the separated stems where a scenario has them.
        rebuild: prepare again even when nothing changed.
        out: folder for the results of each scenario and system; None writes none.
    """

    cache_folder: Path
    start_known: bool = False
    start_offset_s: float = 0.0
    use_stems: bool = True
    rebuild: bool = False
    out: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What one system did on one scenario.

    Attributes:
        error_s: signed error at each evaluation beat; inf where nothing was claimed. Shape (B,).
        confidence: of the claims at the beats, NaN where the system has none. Shape (B,).
        behaviour: what the beats do not show; None for systems that do not claim over time.
        compute_s: seconds the system took after preparation.
        notes: what a person should know, e.g. that no alignment exists.
    """

    error_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    behaviour: Behaviour | None
    compute_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveRun:
    """Positions of one run of the engine, as the CSV sink writes them; unknown places are NaN. All of shape (n,)."""

    audio_time_s: NDArray[np.float64]
    orchestra_s: NDArray[np.float64]
    mix_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    confidence: NDArray[np.float64]
    state: NDArray[np.str_]
    compute_s: float


class Workbench:
    """A scenario being evaluated: everything that several systems share is computed once.

    Args:
        scenario: loaded.
        settings: see `Settings`.
    """

    def __init__(self, scenario: Scenario, settings: Settings) -> None:
        self.scenario = scenario
        self.settings = settings
        self._live: dict[str, LiveRun] = {}

    @cached_property
    def cache(self) -> Cache:
        """The prepared piece, built where it is missing or out of date."""
        from offline_prep.build import Inputs, build_cache

        stems = self.scenario.stems if self.settings.use_stems else None
        inputs = Inputs(self.scenario.orchestra, self.scenario.mix, *(stems or (None, None)))
        folder = self.settings.cache_folder / cache_name(self.scenario, self.settings)
        build_cache(inputs, folder, force=self.settings.rebuild)
        return load_cache(folder)

    @cached_property
    def piano_features(self) -> NotebookFeatures:
        """The notebook's features of the piano recording."""
        return _notebook_features(self.scenario.piano)

    @cached_property
    def orchestra_features(self) -> NotebookFeatures:
        """The notebook's features of the orchestra recording."""
        from offline_prep.notebook.features import NotebookFeatures

        return NotebookFeatures(self.cache.arrays["o_chroma"], self.cache.arrays["o_mfcc"])

    @cached_property
    def mix_features(self) -> NotebookFeatures:
        """The notebook's features of the full mix."""
        from offline_prep.notebook.features import NotebookFeatures

        return NotebookFeatures(self.cache.arrays["po_chroma"], self.cache.arrays["po_mfcc"])

    @cached_property
    def notebook(self) -> NotebookResult:
        """The notebook's system; raises `AlignmentError` where it finds no path."""
        from offline_prep.notebook.system import OfflineStage, notebook_alignment

        offline = OfflineStage(self.orchestra_features, self.mix_features, self.cache.gmms["gmm_o"])
        return notebook_alignment(self.piano_features, offline, HOP_SAMPLES)

    @cached_property
    def naive(self) -> NaiveResult:
        """The naive pairwise system; raises `AlignmentError` where it finds no path."""
        from offline_prep.notebook.system import naive_alignment

        return naive_alignment(self.piano_features, self.orchestra_features, self.mix_features, HOP_SAMPLES)

    def live(self, method: str) -> LiveRun:
        """The engine on the piano recording, streamed as `follower replay` streams it."""
        if method not in self._live:
            self._live[method] = self._run_live(method)
        return self._live[method]

    def _run_live(self, method: str) -> LiveRun:
        rows: list[tuple[str, ...]] = []

        def keep(event: Event) -> None:
            if isinstance(event, Position):
                rows.append(position_row(event))

        cache = self.cache
        with FileSource(self.scenario.piano, speed=None) as source:
            engine = Engine(cache, source.sample_rate_hz, method, self._start_s(cache))
            begin = time.perf_counter()
            run(source, engine, [], on_event=keep)
            compute_s = time.perf_counter() - begin
        self.write_rows(f"live-{method}", rows)
        numbers = np.array([[float(x or "nan") for x in row[:-1]] for row in rows], dtype=np.float64)
        at, orchestra, mix, rate, confidence = numbers.reshape(-1, len(HEADER) - 1).T
        return LiveRun(at, orchestra, mix, rate, confidence, np.array([row[-1] for row in rows], np.str_), compute_s)

    def _start_s(self, cache: Cache) -> float | None:
        if not self.settings.start_known:
            return None
        start_s = float(self.scenario.truth.orchestra_s[0]) + self.settings.start_offset_s
        return min(max(start_s, 0.0), cache.orchestra_duration_s)

    def result_folder(self, system: str) -> Path | None:
        """Folder for the results of a system on this scenario, made if need be; None when none are wanted."""
        if self.settings.out is None:
            return None
        folder = self.settings.out / self.scenario.name / system
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise OutputError(f"cannot make {folder}: {e.strerror or e}; choose a folder you may write") from e
        return folder

    def write_rows(self, system: str, rows: list[tuple[str, ...]]) -> None:
        """Write positions.csv, which the judge's score.py reads, where results are wanted."""
        folder = self.result_folder(system)
        if folder is not None:
            lines = [",".join(row) for row in (HEADER, *rows)]
            (folder / "positions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cache_name(scenario: Scenario, settings: Settings) -> str:
    """Folder name of a scenario's cache: the same for scenarios that share their recordings of orchestra and mix."""
    recordings = [scenario.orchestra, scenario.mix]
    if settings.use_stems and scenario.stems is not None:
        recordings += scenario.stems
    paths = "\n".join(str(path.resolve()) for path in recordings)
    return f"{scenario.mix.resolve().parent.name}-{hashlib.sha256(paths.encode()).hexdigest()[:10]}"


def _notebook_features(path: Path) -> NotebookFeatures:
    from offline_prep.audio import load_recording, resample
    from offline_prep.notebook.features import NOTEBOOK_RATE_HZ, notebook_features

    recording = load_recording(path)
    return notebook_features(resample(recording.samples, recording.sample_rate_hz, NOTEBOOK_RATE_HZ), HOP_SAMPLES)


def _live_outcome(method: str, bench: Workbench) -> Outcome:
    """P to O: the live metric on the engine's orchestra positions."""
    live = bench.live(method)
    truth = bench.scenario.truth
    claims = Claims.build(live.audio_time_s, live.orchestra_s, live.rate, live.confidence, live.state)
    return _claimed(claims, truth.beat_s, truth.beat_orchestra_s, (truth.piano_s, truth.orchestra_s), live.compute_s)


def _mix_outcome(method: str, bench: Workbench) -> Outcome:
    """P to PO: the same run, measured in the full mix, which leaves the PO-O map out."""
    live = bench.live(method)
    truth = bench.scenario.truth
    known = np.isfinite(truth.beat_mix_s)
    if not known.any():
        raise ScenarioError(f"scenario {bench.scenario.folder} has no truth for the full mix (truth.csv or po.beats)")
    slope = np.asarray(bench.cache.mix_map.slope_at(np.nan_to_num(live.mix_s)))
    rate = np.where(slope > MIN_SLOPE, live.rate / np.maximum(slope, MIN_SLOPE), 1.0)
    claims = Claims.build(live.audio_time_s, live.mix_s, rate, live.confidence, live.state)
    return _claimed(claims, truth.beat_s[known], truth.beat_mix_s[known], mix_target(truth), live.compute_s)


def _claimed(
    claims: Claims,
    beat_s: NDArray[np.float64],
    target_s: NDArray[np.float64],
    curve: tuple[NDArray[np.float64], NDArray[np.float64]],
    compute_s: float,
    notes: tuple[str, ...] = (),
) -> Outcome:
    newest = claims.newest(beat_s)
    confidence = np.full(len(beat_s), np.nan)
    confidence[newest >= 0] = claims.confidence[newest[newest >= 0]]
    return Outcome(live_errors(claims, beat_s, target_s), confidence, behaviour(claims, *curve), compute_s, notes)


def _notebook_outcome(bench: Workbench) -> Outcome:
    """The notebook's system, offline with hindsight, interpolated at the beats."""

    def align() -> tuple[NDArray[np.float64], tuple[str, ...]]:
        result = bench.notebook
        folder = bench.result_folder("notebook")
        if folder is not None:
            from offline_prep.notebook.files import save_notebook_result

            save_notebook_result(result, folder)
        return result.hyp, result.notices

    return _offline_outcome(bench, align)


def _naive_outcome(bench: Workbench) -> Outcome:
    """The naive pairwise system, offline with hindsight, interpolated at the beats."""

    def align() -> tuple[NDArray[np.float64], tuple[str, ...]]:
        result = bench.naive
        folder = bench.result_folder("naive")
        if folder is not None:
            from offline_prep.notebook.files import save_paths

            save_paths(result.hyp, result.p_po, result.o_po, folder)
        return result.hyp, ()

    return _offline_outcome(bench, align)


def _offline_outcome(bench: Workbench, align: Callable[[], tuple[NDArray[np.float64], tuple[str, ...]]]) -> Outcome:
    truth = bench.scenario.truth
    begin = time.perf_counter()
    try:
        hyp, notes = align()
    except AlignmentError as e:
        return _nothing_found(len(truth.beat_s), e)
    return _claimed(
        Claims.from_path(hyp),
        truth.beat_s,
        truth.beat_orchestra_s,
        (truth.piano_s, truth.orchestra_s),
        time.perf_counter() - begin,
        notes,
    )


def _nothing_found(beats: int, error: AlignmentError) -> Outcome:
    """A system that found no alignment claims nothing: every beat is an infinite error."""
    return Outcome(np.full(beats, np.inf), np.full(beats, np.nan), None, 0.0, (f"no alignment: {error}",))


def _map_outcome(bench: Workbench) -> Outcome:
    """PO to O: the prepared map at the evaluation beats."""
    return _mapped(bench, lambda mix_s: np.asarray(bench.cache.mix_map.to_orchestra(mix_s)))


def _path_map_outcome(of: Callable[[Workbench], NotebookResult | NaiveResult], bench: Workbench) -> Outcome:
    """PO to O of an offline system, by interpolation of its path."""

    def to_orchestra(mix_s: NDArray[np.float64]) -> NDArray[np.float64]:
        from offline_prep.notebook.system import frames_to_seconds

        orchestra_s, path_mix_s = frames_to_seconds(of(bench).o_po.astype(np.float64), HOP_SAMPLES)
        return np.asarray(np.interp(mix_s, path_mix_s, orchestra_s), dtype=np.float64)

    return _mapped(bench, to_orchestra)


def _mapped(bench: Workbench, to_orchestra: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Outcome:
    truth = bench.scenario.map_truth
    if truth is None:
        raise ScenarioError(f"scenario {bench.scenario.folder} has no truth for the full mix (truth.csv or po.beats)")
    begin = time.perf_counter()
    try:
        error = to_orchestra(truth.mix_s) - truth.orchestra_s
    except AlignmentError as e:
        return _nothing_found(len(truth.mix_s), e)
    return Outcome(error, np.full(len(error), np.nan), None, time.perf_counter() - begin)


System = Callable[[Workbench], Outcome]

SYSTEMS: Final[Mapping[str, System]] = MappingProxyType(
    {f"live:{method}": partial(_live_outcome, method) for method in METHODS}
    | {f"mix:{method}": partial(_mix_outcome, method) for method in METHODS}
    | {
        "notebook": _notebook_outcome,
        "naive": _naive_outcome,
        "map": _map_outcome,
        "map:notebook": partial(_path_map_outcome, lambda bench: bench.notebook),
        "map:naive": partial(_path_map_outcome, lambda bench: bench.naive),
    }
)
ALIASES: Final[Mapping[str, str]] = MappingProxyType({"live": f"live:{DEFAULT_METHOD}", "mix": f"mix:{DEFAULT_METHOD}"})
DEFAULT_SYSTEM: Final = f"live:{DEFAULT_METHOD}"


def system_name(name: str) -> str:
    """The full name of a system.

    Raises:
        ConfigError: there is no such system.
    """
    name = ALIASES.get(name, name)
    if name not in SYSTEMS:
        raise ConfigError(f"unknown system {name!r}; choose from: {', '.join((*SYSTEMS, *ALIASES))}")
    return name
