"""From results to the page: what is drawn, what is heard, and the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.errors import OutputError
from follower.evaluation.chroma_cost import chroma_cost
from follower.evaluation.report.excerpts import Excerpts
from follower.evaluation.report.figures import over_time, pooled_curves, warping_paths
from follower.evaluation.report.page import Contents, Heard, Section, page
from follower.evaluation.report.passages import Passage, worst_passages
from follower.evaluation.scenario import Scenario
from follower.evaluation.systems.outcome import Outcome
from follower.evaluation.table import (
    ALL,
    Pooled,
    Results,
    alignment_table,
    behaviour_text,
    confidence_tables,
    error_table,
)
from follower.files.whole_file import WholeFile
from follower.terminal import clock_text

PASSAGES: Final = 3
"""Of each system."""
FILE: Final = "index.html"
RATE_HZ: Final = 22050
HOP_SAMPLES: Final = 2048


def write_report(
    folder: Path,
    scenarios: Sequence[Scenario],
    results: Results,
    pooled: Mapping[str, Mapping[str, Pooled]],
    made: str,
    on_done: Callable[[str], None],
) -> Path:
    """Write the page into a folder, made if need be.

    Args:
        folder: where to.
        scenarios: that were evaluated.
        results: of all of them.
        pooled: of `pools`.
        made: a line about when and how.
        on_done: called with the name of each scenario whose pictures are drawn.

    Returns:
        The file.

    Raises:
        OutputError: it cannot be written.
        AudioFileError: a recording is no longer there.
    """
    anchors = {s.name: f"scenario-{k}" for k, s in enumerate(scenarios, 1)}
    sections = []
    for scenario in scenarios:
        sections.append(_section(scenario, results[scenario.name], anchors[scenario.name]))
        on_done(scenario.name)
    contents = Contents(
        made,
        (
            ("Errors", error_table({}, pooled)),
            ("Alignment as mir_eval measures it, and where it is heard", alignment_table(pooled)),
            *confidence_tables(pooled[ALL]),
        ),
        pooled_curves(pooled[ALL]),
        tuple(line.strip() for line in behaviour_text(pooled[ALL]).splitlines()),
        _heard(scenarios, results, list(pooled[ALL]), anchors),
        tuple(sections),
        error_table(results, {}),
    )
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with WholeFile(path) as file:
            file.part.write_text(page(contents), encoding="utf-8")
            file.complete()
    except OSError as e:
        raise OutputError(f"cannot write {path}: {e.strerror or e}; choose a folder you may write") from e
    return path


def _in_orchestra(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Those that estimate positions in the orchestra recording over time."""
    return {name: o for name, o in outcomes.items() if o.estimates is not None and o.heard is not None}


def _section(scenario: Scenario, outcomes: Mapping[str, Outcome], anchor: str) -> Section:
    pictures: list[tuple[str, str]] = []
    timed = {name: o for name, o in outcomes.items() if o.estimates is not None}
    if timed:
        shown = "Error over time with jumps and states, and tempo against the true one"
        pictures.append((f"{scenario.name}: {shown}", over_time(timed, scenario.truth.beat_s)))
    if placed := _in_orchestra(outcomes):
        (piano, piano_s), (orchestra, orchestra_s) = _chroma(scenario.piano), _chroma(scenario.orchestra)
        uri = warping_paths(placed, chroma_cost(orchestra, piano), piano_s, orchestra_s)
        pictures.append((f"{scenario.name}: estimated and true positions over the cost", uri))
    medians = [f"{name} {1000 * float(np.median(np.abs(o.error_s))):.0f} ms" for name, o in outcomes.items()]
    notes = [f"{name}: {note}" for name, o in outcomes.items() for note in o.notes]
    return Section(scenario.name, anchor, ", ".join(medians), tuple(pictures), tuple(notes))


def _heard(
    scenarios: Sequence[Scenario], results: Results, systems: Sequence[str], anchors: Mapping[str, str]
) -> dict[str, tuple[Heard, ...]]:
    """Render the worst passages; the recordings of one scenario are in memory at a time."""
    chosen: dict[str, tuple[Passage, ...]] = {}
    for system in systems:
        runs = [
            (s.name, s.truth.beat_s, results[s.name][system].error_s)
            for s in scenarios
            if system in _in_orchestra(results[s.name])
        ]
        chosen[system] = worst_passages(runs, PASSAGES)
    made: dict[tuple[str, Passage], Heard] = {}
    for scenario in scenarios:
        wanted = [(system, p) for system in systems for p in chosen[system] if p.scenario == scenario.name]
        if not wanted:
            continue
        excerpts = Excerpts(scenario)
        curve = (scenario.truth.piano_s, scenario.truth.orchestra_s)
        for system, passage in wanted:
            estimates = results[scenario.name][system].estimates
            assert estimates is not None
            made[system, passage] = Heard(
                f"{scenario.name}, {clock_text(passage.begin_s)} to {clock_text(passage.end_s)}",
                anchors[scenario.name],
                1000 * passage.error_s,
                excerpts.of_system(passage, estimates),
                excerpts.of_truth(passage, curve),
            )
    return {system: tuple(made[system, p] for p in chosen[system]) for system in systems}


def _chroma(recording: Path) -> tuple[NDArray[np.float32], float]:
    """Coarse chroma to draw, and the recording's length (s)."""
    from offline_prep.audio import load_recording, resample
    from offline_prep.notebook.librosa_loader import load_librosa

    loaded = load_recording(recording)
    samples = resample(loaded.samples, loaded.sample_rate_hz, RATE_HZ)
    librosa = load_librosa()
    chroma = librosa.feature.chroma_stft(
        y=samples, sr=RATE_HZ, hop_length=HOP_SAMPLES, n_fft=2 * HOP_SAMPLES, tuning=0.0
    )
    return np.asarray(chroma, np.float32), len(samples) / RATE_HZ
