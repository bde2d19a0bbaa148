"""A scenario folder: three recordings and where they belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import ScenarioError
from follower.evaluation.beat_files import measured_beats, read_beats
from follower.evaluation.csv_columns import read_columns
from follower.files.find import AUDIO_ENDINGS, find_audio

STEM_NAMES = ("po_piano", "po_orchestra")


@dataclass(frozen=True)
class Truth:
    """Where the orchestra and the full mix stand while the piano plays; all times in seconds.

    Attributes:
        piano_s: increasing, shape (K,). Pauses and jumps have no rows.
        orchestra_s: shape (K,).
        mix_s: shape (K,); NaN where unknown.
        beat_s: evaluation beats in the piano recording, shape (B,): those at which piano and orchestra sound.
        beat_orchestra_s: positions of the evaluation beats in the orchestra recording.
        beat_mix_s: positions of the evaluation beats in the full mix; NaN where unknown.
    """

    piano_s: NDArray[np.float64]
    orchestra_s: NDArray[np.float64]
    mix_s: NDArray[np.float64]
    beat_s: NDArray[np.float64]
    beat_orchestra_s: NDArray[np.float64]
    beat_mix_s: NDArray[np.float64]


@dataclass(frozen=True)
class MapTruth:
    """Pairs of times that the PO-O map should join: full mix and orchestra (s), both shape (B,)."""

    mix_s: NDArray[np.float64]
    orchestra_s: NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """A scenario folder with its truth loaded.

    Attributes:
        name: the folder's name.
        folder: the folder.
        piano: live piano recording.
        orchestra: orchestra-only recording.
        mix: full mix.
        stems: piano and orchestra stem of the full mix, where the folder has both.
        truth: see `Truth`.
        map_truth: see `MapTruth`; None where there is no annotation of the full mix.
    """

    name: str
    folder: Path
    piano: Path
    orchestra: Path
    mix: Path
    stems: tuple[Path, Path] | None
    truth: Truth
    map_truth: MapTruth | None


def load_scenario(folder: Path) -> Scenario:
    """Find the recordings and read the annotations of a scenario folder.

    With `truth.csv` the evaluation beats are those of `p.beats` at which both instruments sound.
    Without it, they are the beats whose measure `p.beats` and `o.beats` share.

    Raises:
        ScenarioError: the folder lacks a file, or one has a wrong content.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ScenarioError(f"{folder} is not a scenario folder; give a folder with p, o and po recordings and p.beats")
    piano, orchestra, mix = (find_audio(folder, name) for name in ("p", "o", "po"))
    stems = [find_audio(folder, n) for n in STEM_NAMES if any((folder / f"{n}{e}").is_file() for e in AUDIO_ENDINGS)]
    truth = _truth_from_csv(folder) if (folder / "truth.csv").is_file() else _truth_from_beats(folder)
    if not len(truth.beat_s):
        raise ScenarioError(f"scenario {folder} has no beat at which piano and orchestra both sound")
    return Scenario(
        # resolve() so that "." has a name too.
        folder.resolve().name,
        folder,
        piano,
        orchestra,
        mix,
        (stems[0], stems[1]) if len(stems) == len(STEM_NAMES) else None,
        truth,
        _map_truth(folder, truth),
    )


def _truth_from_csv(folder: Path) -> Truth:
    path = folder / "truth.csv"
    p, o, po, both = read_columns(path, ("p", "o", "po", "both"))
    if len(p) < 2 or not (np.isfinite(p).all() and np.isfinite(o).all()) or np.diff(p).min() <= 0:
        raise ScenarioError(f"{path} needs two or more rows with numbers in p (increasing) and o; it has {len(p)} rows")
    beat = read_beats(folder / "p.beats").start_s
    row = np.clip(np.searchsorted(p, beat), 0, len(p) - 1)
    beat = beat[(both[row] > 0) & (beat >= p[0]) & (beat <= p[-1])]
    return Truth(p, o, po, beat, np.interp(beat, p, o), np.interp(beat, p, po))


def _truth_from_beats(folder: Path) -> Truth:
    """Joins the recordings where their beat annotations name the same measure (bar number with fraction)."""
    beats = measured_beats(folder / "p.beats")
    o_at = _at_measures(folder / "o.beats")
    po_file = folder / "po.beats"
    po_at = _at_measures(po_file) if po_file.is_file() else {}
    shared = [(s, m) for s, m in zip(beats.start_s.tolist(), beats.measure.tolist(), strict=True) if m in o_at]
    if len(shared) < 2:
        raise ScenarioError(f"p.beats and o.beats of {folder} share {len(shared)} measures; they need 2 or more")
    p = np.array([s for s, _ in shared])
    o = np.array([o_at[m] for _, m in shared])
    po = np.array([po_at.get(m, np.nan) for _, m in shared])
    return Truth(p, o, po, p, o, po)


def _at_measures(path: Path) -> dict[float, float]:
    """Where each measure is (s). One that is annotated twice names no single place, and is refused."""
    beats = measured_beats(path)
    at = dict(zip(beats.measure.tolist(), beats.start_s.tolist(), strict=True))
    if len(at) < len(beats.measure):
        measures, times = np.unique(beats.measure, return_counts=True)
        raise ScenarioError(
            f"{path} has the measure {measures[times > 1][0]:g} more than once; give every place a number of its own, "
            "repeats too (and beat 10 of a bar another one than beat 1: 4.1 and 4.10 are the same number)"
        )
    return at


def _map_truth(folder: Path, truth: Truth) -> MapTruth | None:
    """The evaluation beats in the full mix and in the orchestra, exactly, through the beat annotations."""
    if not ((folder / "po.beats").is_file() and (folder / "o.beats").is_file()):
        known = np.isfinite(truth.beat_mix_s)
        return MapTruth(truth.beat_mix_s[known], truth.beat_orchestra_s[known]) if known.any() else None
    beats = measured_beats(folder / "p.beats")
    at_beat = dict(zip(beats.start_s.tolist(), beats.measure.tolist(), strict=True))
    starts = [_at_measures(folder / f"{name}.beats") for name in ("po", "o")]
    pairs = [
        (starts[0][m], starts[1][m])
        for m in (at_beat[b] for b in truth.beat_s.tolist())
        if m in starts[0] and m in starts[1]
    ]
    if not pairs:
        return None
    mix_s, orchestra_s = np.array(pairs).T
    return MapTruth(mix_s, orchestra_s)
