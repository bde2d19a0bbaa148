"""benchmarks/evaluation/conditions.py: every condition keeps sound and truth together."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from follower.evaluation.scenario import load_scenario
from tests.paths import BENCHMARKS

SCRIPT = BENCHMARKS / "evaluation" / "conditions.py"


@pytest.fixture(scope="module")
def conditions() -> ModuleType:
    return importlib.import_module("benchmarks.evaluation.conditions")


def onset_curve(path: Path) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Seconds and the rise of the log level over 30 ms there."""
    samples, rate = soundfile.read(path)
    hop = rate // 100
    power = np.mean(samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2, axis=1)
    level = np.log10(power + 1e-3 * power.max())
    return np.arange(3, len(level)) * 0.01, np.maximum(level[3:] - level[:-3], 0.0)


# Conditions that hide the attacks from the simple detector above are checked by their geometry only.
AUDIBLE = ("clean", "tuning+40", "tuning-40", "tempo-half", "tempo-double", "level-steps", "lead-chord", "pause-5s",
           "repeat-4", "skip-4", "start-at-zero", "start-sounding", "telephone", "hall")  # fmt: skip


@pytest.mark.parametrize("name", AUDIBLE)
def test_attacks_come_at_the_beats(conditions: ModuleType, short_demo: Path, tmp_path: Path, name: str) -> None:
    take = conditions.load_take(short_demo, name)
    folder = conditions.write_variant(take, name, conditions.CONDITIONS[name](take), tmp_path)
    beats = np.loadtxt(folder / "p.beats", delimiter=",", skiprows=1)
    second, rise = onset_curve(folder / "p.flac")
    lags = np.arange(-0.3, 0.301, 0.01)
    mean = [np.mean(np.interp(beats[:-1, 0] + lag, second, rise)) for lag in lags]
    assert abs(lags[int(np.argmax(mean))]) <= 0.05
    assert max(mean) > 2.0 * np.mean(rise)


@pytest.mark.parametrize("name", ["pause-20s", "repeat-4", "skip-4", "bleed-3dB"])
def test_the_folder_is_a_scenario_whose_truth_is_the_originals(
    conditions: ModuleType, short_demo: Path, tmp_path: Path, name: str
) -> None:
    take = conditions.load_take(short_demo, name)
    folder = conditions.write_variant(take, name, conditions.CONDITIONS[name](take), tmp_path)
    scenario = load_scenario(folder)
    original = dict(zip(take.beats[1].tolist(), np.interp(take.beats[0], *take.truth[:2]).tolist(), strict=True))
    measure_at = dict(zip(*np.loadtxt(folder / "p.beats", delimiter=",", skiprows=1).T.tolist(), strict=True))
    inside = [b for b in scenario.truth.beat_s if b < scenario.truth.piano_s[-1]]
    expected = [original[measure_at[b]] for b in inside]
    # Where a beat falls between the last row before a jump and the first after it, truth interpolates.
    error = np.abs(np.interp(inside, scenario.truth.piano_s, scenario.truth.orchestra_s) - expected)
    assert np.sum(error > 0.06) <= 1
    assert scenario.mix.resolve() == (short_demo / "po.wav").resolve()


def test_a_pause_has_no_truth_and_the_room_goes_on(conditions: ModuleType, short_demo: Path, tmp_path: Path) -> None:
    take = conditions.load_take(short_demo, "pause-20s")
    folder = conditions.write_variant(take, "pause-20s", conditions.CONDITIONS["pause-20s"](take), tmp_path)
    p = np.loadtxt(folder / "truth.csv", delimiter=",", skiprows=1)[:, 0]
    gap = int(np.argmax(np.diff(p)))
    assert 20.0 <= p[gap + 1] - p[gap] < 20.2
    samples, rate = soundfile.read(folder / "p.flac")
    silence = samples[int((p[gap] + 1) * rate) : int((p[gap + 1] - 1) * rate)]
    assert 0.0 < np.sqrt(np.mean(silence**2)) < 0.05 * take.level


def resting(conditions: ModuleType, folder: Path) -> Any:
    """A take of 20 s in which the orchestra is alone from 6 to 12 s; the piano's beats are each a second's noise."""
    take = conditions.load_take(folder, "entry-late")
    rate, rng = conditions.RATE_HZ, np.random.default_rng(1)
    samples = 0.1 * rng.standard_normal(20 * rate) * np.tile(np.linspace(1.0, 0.2, rate), 20)
    samples[6 * rate : 12 * rate] *= 1e-3
    p = np.arange(0.0, 20.0, 0.05)
    truth = np.array([p, p + 5.0, p + 3.0, p / 2, (p < 6.0) | (p >= 12.0)])
    return dataclasses.replace(take, samples=samples, truth=truth, beats=np.array([np.arange(20.0), np.arange(20) / 2]))


def test_a_rest_is_where_the_orchestra_is_alone_and_the_piano_silent(conditions: ModuleType, short_demo: Path) -> None:
    take = resting(conditions, short_demo)
    ((begin, end),) = conditions.rests(take.truth, take.samples, conditions.RATE_HZ)
    assert (begin, end) == pytest.approx((6.0, 11.95))
    loud = take.samples + 0.05 * np.random.default_rng(2).standard_normal(len(take.samples))
    assert conditions.rests(take.truth, loud, conditions.RATE_HZ) == []
    assert conditions.entry(dataclasses.replace(take, samples=loud), 1.0) is None


@pytest.mark.parametrize(("name", "late_s"), [("entry-late", 1.0), ("entry-early", -1.0), ("entry-on-time", 0.0)])
def test_after_a_rest_the_pianist_enters_late_or_early(
    conditions: ModuleType, short_demo: Path, tmp_path: Path, name: str, late_s: float
) -> None:
    take = resting(conditions, short_demo)
    folder = conditions.write_variant(take, name, conditions.CONDITIONS[name](take), tmp_path)
    samples, rate = soundfile.read(folder / "p.flac")
    assert len(samples) / rate == pytest.approx(20.0 + late_s, abs=0.01)
    power = np.mean(samples[: len(samples) // 220 * 220].reshape(-1, 220) ** 2, axis=1)
    silent = np.flatnonzero(power < 1e-4 * power.max()) * 220 / rate
    assert silent[-1] == pytest.approx(12.0 + late_s, abs=0.05)
    truth = load_scenario(folder).truth
    assert np.interp(12.0 + late_s, truth.piano_s, truth.orchestra_s) == pytest.approx(17.0, abs=0.02)
    assert np.interp(6.2, truth.piano_s, truth.orchestra_s) == pytest.approx(11.2, abs=0.02)
    assert np.diff(truth.piano_s).max() < 0.1, "a rest is no pause"
