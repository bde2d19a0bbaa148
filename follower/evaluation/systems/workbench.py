"""A scenario being evaluated: cache, features, runs of the engine and offline alignments, each computed once."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from follower.engine import Engine
from follower.errors import OutputError
from follower.evaluation.attacks import attack_times, near_attacks
from follower.evaluation.estimates import Estimates
from follower.evaluation.scenario import Scenario
from follower.events import Event, Position
from follower.files.csv_positions import HEADER, position_row
from follower.files.source import FileSource
from follower.piece.manifest import SEPARATED
from follower.piece.piece import NotebookFeatures, Piece
from follower.piece.reading import load_piece
from follower.session.runner import run

if TYPE_CHECKING:
    from offline_prep.notebook.system import NaiveResult, NotebookResult

HOP_SAMPLES: Final = 512
"""Of the notebook's features."""


@dataclass(frozen=True)
class Settings:
    """How scenarios are evaluated.

    Attributes:
        cache_folder: where prepared caches are kept between runs.
        start_known: give the engine the orchestra position at which the pianist begins.
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
class LiveRun:
    """Positions of one run of the engine, as the CSV sink writes them; unknown positions are NaN. All of shape (n,)."""

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

    @property
    def stems(self) -> tuple[Path, Path] | None:
        """Piano and orchestra stem of the mix, where the scenario has them and they are to be used."""
        return self.scenario.stems if self.settings.use_stems else None

    @property
    def start_s(self) -> float | None:
        """Where in the orchestra recording the pianist begins, where that is to be known."""
        if not self.settings.start_known:
            return None
        return max(float(self.scenario.truth.orchestra_s[0]) + self.settings.start_offset_s, 0.0)

    @cached_property
    def piece(self) -> Piece:
        """The prepared piece, built where it is missing or out of date."""
        from offline_prep.build import build_cache
        from offline_prep.compute import Inputs

        inputs = Inputs(self.scenario.orchestra, self.scenario.mix, *(self.stems or (None, None)))
        folder = self.settings.cache_folder / cache_name(self.scenario, self.settings)
        build_cache(inputs, folder, force=self.settings.rebuild)
        return load_piece(folder)

    @cached_property
    def heard(self) -> NDArray[np.bool_]:
        """Which evaluation beats the orchestra attacks at, shape (B,)."""
        return near_attacks(self.scenario.truth.beat_orchestra_s, attack_times(self.scenario.orchestra))

    @cached_property
    def piano_features(self) -> NotebookFeatures:
        """The notebook's features of the piano recording."""
        return _notebook_features(self.scenario.piano)

    @cached_property
    def orchestra_features(self) -> NotebookFeatures:
        """The notebook's features of the orchestra recording."""
        return self.piece.orchestra.notebook

    @cached_property
    def mix_features(self) -> NotebookFeatures:
        """The notebook's features of the full mix."""
        return self.piece.mix.notebook

    @cached_property
    def notebook(self) -> NotebookResult:
        """The notebook's system; raises `AlignmentError` where it finds no path."""
        from offline_prep.notebook.system import OfflineStage, notebook_alignment

        offline = OfflineStage(self.orchestra_features, self.mix_features, self.piece.gmm.notebook_orchestra)
        return notebook_alignment(self.piano_features, offline, HOP_SAMPLES)

    @cached_property
    def naive(self) -> NaiveResult:
        """The naive pairwise system; raises `AlignmentError` where it finds no path."""
        from offline_prep.notebook.system import naive_alignment

        return naive_alignment(self.piano_features, self.orchestra_features, self.mix_features, HOP_SAMPLES)

    @cached_property
    def parts(self) -> tuple[Path, Path]:
        """Piano and orchestra of the mix: the scenario's stems, else our own separation, kept beside the cache."""
        if self.stems is not None:
            return self.stems
        from offline_prep.build import build_cache
        from offline_prep.compute import Inputs
        from offline_prep.separation.config import SeparationConfig
        from offline_prep.settings import PrepSettings

        folder = self.settings.cache_folder / f"{cache_name(self.scenario, self.settings)}-parts"
        inputs = Inputs(self.scenario.orchestra, self.scenario.mix)
        build_cache(inputs, folder, PrepSettings(separation=SeparationConfig()), force=self.settings.rebuild)
        separated = load_piece(folder).manifest.separated
        piano, orchestra = (folder / separated[role].path for role in SEPARATED)
        return piano, orchestra

    @cached_property
    def separation(self) -> NaiveResult:
        """The notebook's separation system; raises `AlignmentError` where it finds no path."""
        from offline_prep.notebook.separation import separation_alignment

        mix_piano, mix_orchestra = (_notebook_features(path).chroma for path in self.parts)
        return separation_alignment(
            self.piano_features.chroma, self.orchestra_features.chroma, mix_piano, mix_orchestra, HOP_SAMPLES
        )

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

        piece = self.piece
        start_s = None if self.start_s is None else min(self.start_s, piece.orchestra_duration_s)
        with FileSource(self.scenario.piano, speed=None) as source:
            engine = Engine(piece, source.sample_rate_hz, method, start_s)
            begin = time.perf_counter()
            run(source, engine, [], on_event=keep)
            compute_s = time.perf_counter() - begin
        self.write_rows(f"live-{method}", rows)
        numbers = np.array([[float(x or "nan") for x in row[:-1]] for row in rows], dtype=np.float64)
        at, orchestra, mix, rate, confidence = numbers.reshape(-1, len(HEADER) - 1).T
        return LiveRun(at, orchestra, mix, rate, confidence, np.array([row[-1] for row in rows], np.str_), compute_s)

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

    def write_estimates(self, system: str, estimates: Estimates) -> None:
        """Write the positions of a system from outside, where results are wanted."""
        e = estimates
        columns = zip(e.audio_time_s, e.position_s, e.rate, e.confidence, e.state, strict=True)
        rows: list[tuple[str, ...]] = [
            (f"{at:.6f}", f"{position:.6f}", "", f"{rate:.6f}", "" if np.isnan(sure) else f"{sure:.4f}", str(state))
            for at, position, rate, sure, state in columns
        ]
        self.write_rows(folder_name(system), rows)

    def write_rows(self, system: str, rows: list[tuple[str, ...]]) -> None:
        """Write positions.csv, as the CSV sink does, where results are wanted."""
        folder = self.result_folder(system)
        if folder is not None:
            lines = [",".join(row) for row in (HEADER, *rows)]
            (folder / "positions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def folder_name(system: str) -> str:
    """Name of a folder for a system's results, whatever the system is called.

    >>> folder_name("my_system:Follower=a/b c")
    'my_system-Follower-a-b-c'
    """
    return re.sub(r"[^\w.-]+", "-", system).strip("-.")


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
