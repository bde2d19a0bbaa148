"""The systems on the demo: each is scored by the same metric, from the files it writes."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from follower import engine
from follower.errors import AlignmentError, AudioFileError, ConfigError, OutputError, ScenarioError
from follower.evaluation import parallel
from follower.evaluation.beat_errors import summarise
from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems import workbench
from follower.evaluation.systems.registry import SYSTEMS, system_name
from follower.evaluation.systems.workbench import Settings, Workbench, cache_name
from follower.inference.methods import METHODS
from follower.piece.manifest import SEPARATED, InputFile
from offline_prep.notebook.files import process_scenario, verify_result_folder
from offline_prep.separation.config import SeparationConfig
from offline_prep.settings import PrepSettings


@pytest.fixture(scope="module")
def bench(short_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    folder = tmp_path_factory.mktemp("evaluation")
    return Workbench(load_scenario(short_demo), Settings(folder / "caches", out=folder / "out"))


def _errors_of_file(scenario: Scenario, positions: Path) -> NDArray[np.float64]:
    """The live metric on a file: the newest row up to each beat, advanced at its rate."""
    with positions.open(newline="") as f:
        rows = [(float(r["audio_time_s"]), float(r["orchestra_time_s"]), float(r["rate"])) for r in csv.DictReader(f)
                if r["orchestra_time_s"]]  # fmt: skip
    errors = []
    for beat, target in zip(scenario.truth.beat_s, scenario.truth.beat_orchestra_s, strict=True):
        known = [row for row in rows if row[0] <= beat]
        errors.append(known[-1][1] + known[-1][2] * (beat - known[-1][0]) - target if known else np.inf)
    return np.array(errors)


@pytest.mark.parametrize("method", METHODS)
def test_live_errors_are_those_of_the_written_positions(bench: Workbench, method: str) -> None:
    outcome = SYSTEMS[f"live:{method}"](bench)
    positions = bench.settings.out / bench.scenario.name / f"live-{method}" / "positions.csv"  # type: ignore[operator]
    errors = _errors_of_file(bench.scenario, positions)
    np.testing.assert_array_equal(outcome.error_s, errors)
    assert summarise(outcome.error_s).to_json() == summarise(errors).to_json()
    known = np.isfinite(outcome.error_s)
    assert np.array_equal(np.isfinite(outcome.confidence), known)
    assert known.mean() > 0.5
    assert outcome.behaviour is not None


def test_a_run_is_shared_by_the_two_views_of_it(bench: Workbench) -> None:
    assert bench.live("tempo") is bench.live("tempo")
    live, mix = SYSTEMS["live:tempo"](bench), SYSTEMS["mix:tempo"](bench)
    assert live.compute_s == mix.compute_s
    assert not np.array_equal(live.error_s, mix.error_s)
    assert np.median(np.abs(mix.error_s)) < 0.15


@pytest.mark.parametrize("name", ["notebook", "naive"])
def test_offline_systems_are_interpolated_at_the_beats(bench: Workbench, name: str) -> None:
    outcome = SYSTEMS[name](bench)
    folder = bench.settings.out / bench.scenario.name / name  # type: ignore[operator]
    verify_result_folder(folder)
    hyp = np.load(folder / "hyp.npy")
    truth = bench.scenario.truth
    np.testing.assert_allclose(outcome.error_s, np.interp(truth.beat_s, *hyp) - truth.beat_orchestra_s, atol=1e-12)
    assert np.isnan(outcome.confidence).all()
    assert (folder / "warping_paths.png").exists() == (name == "notebook")


def test_the_separation_system_aligns_the_stems(short_demo: Path, bench: Workbench, tmp_path: Path) -> None:
    """Stems that are the whole mix: no separation at all, the worst case."""
    _linked(short_demo, tmp_path / "stems")
    for stem in ("po_piano", "po_orchestra"):
        (tmp_path / "stems" / f"{stem}.wav").symlink_to(short_demo / "po.wav")
    fresh = Workbench(load_scenario(tmp_path / "stems"), bench.settings)
    assert [path.name for path in fresh.parts] == ["po_piano.wav", "po_orchestra.wav"]
    np.testing.assert_array_equal(fresh.piece.mix_piano, fresh.piece.mix.pitch)
    outcome = SYSTEMS["separation"](fresh)
    verify_result_folder(bench.settings.out / "stems" / "separation")  # type: ignore[operator]
    assert np.median(np.abs(outcome.error_s)) < 0.5
    assert np.median(np.abs(SYSTEMS["map:separation"](fresh).error_s)) < 0.5


def test_without_stems_the_mix_is_separated_by_ourselves(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """How well it is separated is measured elsewhere; here: that it is asked for, kept apart, and read."""
    asked: list[tuple[Path, object]] = []

    def build(inputs: object, folder: Path, settings: PrepSettings, force: bool) -> None:
        asked.append((folder, settings.separation))

    cache = replace(bench.piece.manifest, separated={r: InputFile(n, "", 1.0, 8000) for r, n in SEPARATED.items()})
    monkeypatch.setattr("offline_prep.build.build_cache", build)
    monkeypatch.setattr(workbench, "load_piece", lambda _: replace(bench.piece, manifest=cache))
    piano, orchestra = Workbench(bench.scenario, bench.settings).parts
    ((folder, separation),) = asked
    assert isinstance(separation, SeparationConfig)
    assert folder.name == f"{cache_name(bench.scenario, bench.settings)}-parts"
    assert (piano, orchestra) == (folder / "mix_piano.flac", folder / "mix_orchestra.flac")


@pytest.mark.parametrize("name", ["map", "map:naive", "map:notebook"])
def test_maps_are_measured_between_mix_and_orchestra(bench: Workbench, name: str) -> None:
    outcome = SYSTEMS[name](bench)
    assert bench.scenario.map_truth is not None
    assert outcome.error_s.shape == bench.scenario.map_truth.mix_s.shape
    assert outcome.behaviour is None
    assert np.median(np.abs(outcome.error_s)) < 0.5


def test_the_notebooks_two_calls_on_folders(bench: Workbench, tmp_path: Path) -> None:
    result = process_scenario(bench.scenario.folder, bench.piece.path, tmp_path / "out")
    np.testing.assert_array_equal(result.hyp, bench.notebook.hyp)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "hyp.npy"), result.hyp)
    with pytest.raises(OutputError, match="exists already"):
        process_scenario(bench.scenario.folder, bench.piece.path, tmp_path / "out")


def test_a_system_without_a_path_has_infinite_errors_and_says_why(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AlignmentError("no path: too short")

    monkeypatch.setattr("offline_prep.notebook.system.notebook_alignment", fail)
    fresh = Workbench(bench.scenario, bench.settings)
    for name in ("notebook", "map:notebook"):
        outcome = SYSTEMS[name](fresh)
        assert np.isinf(outcome.error_s).all()
        assert outcome.notes == ("no alignment: no path: too short",)


def test_a_known_start_is_given_to_the_engine(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[float | None] = []
    real = engine.Engine

    def spy(*args: object) -> object:
        starts.append(args[3])  # type: ignore[arg-type]
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(workbench, "Engine", spy)
    monkeypatch.setattr(workbench, "run", lambda *_args, **_kwargs: None)
    first = float(bench.scenario.truth.orchestra_s[0])
    for settings in (
        bench.settings,
        replace(bench.settings, start_known=True),
        replace(bench.settings, start_known=True, start_offset_s=-1e6),
    ):
        Workbench(bench.scenario, replace(settings, out=None)).live("tempo")
    assert starts == [None, first, 0.0]


def _linked(scenario: Path, folder: Path) -> Scenario:
    folder.mkdir()
    for path in scenario.iterdir():
        (folder / path.name).symlink_to(path)
    return load_scenario(folder)


def test_scenarios_that_share_recordings_share_a_cache(short_demo: Path, bench: Workbench, tmp_path: Path) -> None:
    linked = _linked(short_demo, tmp_path / "variant")
    assert cache_name(linked, bench.settings) == cache_name(bench.scenario, bench.settings)
    (tmp_path / "variant" / "o.wav").unlink()
    (tmp_path / "variant" / "o.wav").write_bytes(b"another")
    assert cache_name(load_scenario(tmp_path / "variant"), bench.settings) != cache_name(bench.scenario, bench.settings)


def test_stems_make_another_cache(short_demo: Path, bench: Workbench, tmp_path: Path) -> None:
    _linked(short_demo, tmp_path / "stems")
    for name in ("po_piano.wav", "po_orchestra.wav"):
        (tmp_path / "stems" / name).touch()
    scenario = load_scenario(tmp_path / "stems")
    with_stems = cache_name(scenario, bench.settings)
    assert with_stems != cache_name(scenario, replace(bench.settings, use_stems=False))


def test_no_truth_for_the_mix(short_demo: Path, tmp_path: Path, bench: Workbench) -> None:
    _linked(short_demo, tmp_path / "scenario")
    for name in ("truth.csv", "po.beats"):
        (tmp_path / "scenario" / name).unlink()
    fresh = Workbench(load_scenario(tmp_path / "scenario"), bench.settings)
    for name in ("map", "mix:tempo"):
        with pytest.raises(ScenarioError, match="no truth for the full mix"):
            SYSTEMS[name](fresh)


def test_results_that_cannot_be_written(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make"):
        Workbench(bench.scenario, replace(bench.settings, out=tmp_path / "file")).result_folder("naive")


@pytest.mark.parametrize("jobs", [1, 2])
def test_scenarios_are_evaluated_in_the_order_given(
    short_demo: Path, bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    scenarios = [_linked(short_demo, tmp_path / "b"), bench.scenario, _linked(short_demo, tmp_path / "a")]
    prepared: list[str] = []
    if jobs == 1:  # other processes do not see the replacement
        monkeypatch.setattr(parallel, "prepare", lambda scenario, *_: prepared.append(scenario.name))
    done: list[str] = []
    results = parallel.evaluate_scenarios(scenarios, ["map"], bench.settings, jobs, done.append)
    assert list(results) == ["b", bench.scenario.name, "a"]
    assert sorted(done) == sorted(results)
    assert all(np.array_equal(r["map"].error_s, results["a"]["map"].error_s) for r in results.values())
    assert prepared == (["b"] if jobs == 1 else [])  # they share one cache


def test_an_error_in_a_process_ends_the_evaluation(short_demo: Path, bench: Workbench, tmp_path: Path) -> None:
    scenarios = [_linked(short_demo, tmp_path / name) for name in ("good", "bad")]
    for path in (tmp_path / "bad" / "p.wav", tmp_path / "good" / "o.wav"):
        path.unlink()
        path.write_text("no sound")
    with pytest.raises(AudioFileError, match=r"^(bad|good): .* is not an audio file that can be read"):
        parallel.evaluate_scenarios(scenarios, ["naive"], bench.settings, 2, lambda _: None)


ORPHANS = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from follower.evaluation.parallel import _start_worker

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _start_worker)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 1000).result()
"""


def test_no_process_outlives_a_killed_evaluation(tmp_path: Path) -> None:
    (tmp_path / "evaluation.py").write_text(ORPHANS)
    evaluation = subprocess.Popen([sys.executable, tmp_path / "evaluation.py"], stdout=subprocess.PIPE, text=True)
    assert evaluation.stdout is not None
    assert int(evaluation.stdout.readline()) != evaluation.pid
    evaluation.kill()
    evaluation.communicate(timeout=120)  # its output ends only when the process it started has ended too


def test_names() -> None:
    names = ("live", "mix", "live:tempo", "notebook")
    assert [system_name(n) for n in names] == ["live:tempo", "mix:tempo", "live:tempo", "notebook"]
    with pytest.raises(ConfigError, match="unknown system 'best'; choose from: live:tempo"):
        system_name("best")
