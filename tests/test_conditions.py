"""benchmarks/conditions.py: every condition keeps sound and truth together."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from follower.evaluation.scenario import load_scenario

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "conditions.py"


@pytest.fixture(scope="module")
def conditions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conditions", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["conditions"] = module
    spec.loader.exec_module(module)
    return module


def onset_curve(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and the rise of the log level over 30 ms there."""
    samples, rate = soundfile.read(path)
    hop = rate // 100
    power = np.mean(samples[: len(samples) // hop * hop].reshape(-1, hop) ** 2, axis=1)
    level = np.log10(power + 1e-3 * power.max())
    return np.arange(3, len(level)) * 0.01, np.maximum(level[3:] - level[:-3], 0.0)


# Conditions that hide the attacks from the simple detector above are checked by their geometry only.
AUDIBLE = ("clean", "tuning+40", "tuning-40", "tempo-half", "tempo-double", "level-steps", "lead-chord", "pause-5s",
           "repeat-4", "skip-4", "start-at-zero", "start-sounding", "telephone")  # fmt: skip


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
