"""What is measured from outside: plug-ins by their contract, every example of one, and positions made elsewhere."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from follower.cli import main
from follower.errors import AlignmentError, ConfigError, ScenarioError
from follower.evaluation.scenario import Scenario, load_scenario
from follower.evaluation.systems import contract
from follower.evaluation.systems.contract import Estimate, Piano, Recordings
from follower.evaluation.systems.registry import check_scenario, needs_cache, system_name, system_of
from follower.evaluation.systems.workbench import Settings, Workbench
from follower.files.source import FileSource
from tests.paths import EXAMPLES

EXAMPLE_SYSTEMS = sorted(path.stem for path in EXAMPLES.glob("*_system.py"))


@pytest.fixture(scope="module")
def scenario(short_demo: Path) -> Scenario:
    return load_scenario(short_demo)


@pytest.fixture
def bench(scenario: Scenario, tmp_path: Path) -> Workbench:
    return Workbench(scenario, Settings(tmp_path / "caches", out=tmp_path / "out"))


def classes_of(module_name: str) -> list[str]:
    module = importlib.import_module(module_name)
    own = [x for x in vars(module).values() if isinstance(x, type) and x.__module__ == module_name]
    return [x.__name__ for x in own if callable(getattr(x, "follow", None))]


def estimates(system: Any, scenario: Scenario, piano: Path) -> list[tuple[float, Estimate]]:
    """What a fresh system says, each with how much of the piano it had taken then."""
    system.prepare(Recordings(scenario.orchestra, scenario.mix, None, None))
    with FileSource(piano, speed=None) as source:
        heard = Piano(source, None)
        return [(heard.heard_s, e) for e in system.follow(heard)]


@pytest.mark.parametrize("module", EXAMPLE_SYSTEMS)
def test_every_example_keeps_the_contract(
    module: str, scenario: Scenario, bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found, says the same when made anew, and what it says does not depend on what was not played yet."""
    monkeypatch.syspath_prepend(EXAMPLES)
    names = classes_of(module)
    assert names, f"{module}.py has no class with a method `follow`"
    samples, rate_hz = soundfile.read(scenario.piano)
    half = len(samples) // 2
    samples[half:] = 0.1 * np.random.default_rng(5).standard_normal(len(samples) - half)
    soundfile.write(tmp_path / "other.wav", samples, rate_hz, subtype="FLOAT")
    for name in names:
        outcome = system_of(system_name(f"{module}:{name}"))(bench)
        assert np.isfinite(outcome.error_s).mean() > 0.5
        made = getattr(sys.modules[module], name)
        once, elsewhere = (estimates(made(), scenario, p) for p in (scenario.piano, tmp_path / "other.wav"))
        early = [(at, e) for at, e in once if at <= half / rate_hz]
        assert len(early) > 10
        assert early == [(at, e) for at, e in elsewhere if at <= half / rate_hz]
        notes = [n for n in outcome.notes if "hindsight" in n]
        assert bool(notes) == any(e.audio_time_s is not None and e.audio_time_s < at for at, e in once)


class Oracle:
    """Knows the truth, and says it with a delay of its own making."""

    scenario: Scenario
    seen: list[Any]

    def __init__(self, delay_s: str = "0") -> None:
        self._delay_s = float(delay_s)

    def prepare(self, recordings: Recordings) -> None:
        self.seen.append(recordings)

    def follow(self, piano: Piano) -> Iterator[Estimate]:
        truth = self.scenario.truth
        self.seen.append(piano.start_s)
        for _ in piano.blocks():
            if piano.heard_s >= truth.piano_s[0] - 0.1:
                at = np.interp(piano.heard_s - self._delay_s, truth.piano_s, truth.orchestra_s)
                yield Estimate(float(at), confidence=0.9, state="following")


class Hindsight(Oracle):
    """The same, but only when the piano is over."""

    def follow(self, piano: Piano) -> Iterator[Estimate]:
        truth = self.scenario.truth
        assert len(piano.rest()) == round(piano.duration_s * piano.sample_rate_hz)
        for at, position in zip(truth.piano_s.tolist(), truth.orchestra_s.tolist(), strict=True):
            yield Estimate(position, audio_time_s=at)


@pytest.fixture(autouse=True)
def oracle(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("outside_oracle")
    Oracle.scenario, Oracle.seen = scenario, []
    for made in (Oracle, Hindsight):
        setattr(module, made.__name__, made)
    module.Wrong = type("Wrong", (), {"follow": lambda self, piano: []})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "outside_oracle", module)


def test_an_estimate_belongs_to_all_that_was_taken(scenario: Scenario, bench: Workbench) -> None:
    right = system_of("outside_oracle:Oracle")(bench)
    assert np.abs(right.error_s).max() < 0.03 and right.notes == () and right.behaviour is not None
    assert np.allclose(right.confidence, 0.9)
    late = system_of("outside_oracle:Oracle=0.5")(bench)
    assert -0.8 < np.median(late.error_s) < -0.3
    assert Oracle.seen[0] == Recordings(scenario.orchestra, scenario.mix, None, None)
    assert Oracle.seen[1] is None


def test_hindsight_is_measured_at_its_instants_and_said(bench: Workbench) -> None:
    outcome = system_of("outside_oracle:Hindsight")(bench)
    assert np.abs(outcome.error_s).max() < 0.03
    (note,) = outcome.notes
    assert note.startswith("with hindsight: estimates up to 1") and note.endswith("s after their instant")


def test_the_start_and_the_stems_are_given_where_they_are_known(scenario: Scenario, bench: Workbench) -> None:
    with_stems = replace(scenario, stems=(Path("a.wav"), Path("b.wav")))
    settings = replace(bench.settings, start_known=True, start_offset_s=0.25)
    system_of("outside_oracle:Oracle")(Workbench(with_stems, settings))
    assert Oracle.seen == [
        Recordings(scenario.orchestra, scenario.mix, Path("a.wav"), Path("b.wav")),
        float(scenario.truth.orchestra_s[0]) + 0.25,
    ]
    system_of("outside_oracle:Oracle")(Workbench(with_stems, replace(settings, use_stems=False)))
    assert Oracle.seen[2].mix_piano is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Estimate(float("nan")), "must be numbers"),
        (Estimate(1.0, audio_time_s=1e6), "beyond what was taken"),
        (Estimate(1.0, audio_time_s=-1.0), "must not go back"),
        (Estimate(1.0, audio_time_s=float("nan")), "must not go back"),
        (Estimate(1.0, confidence=1.5), "confidence must be"),
        (Estimate(1.0, state="asleep"), "state must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, wrong: Estimate, message: str
) -> None:
    monkeypatch.setattr(Oracle, "follow", lambda self, piano: [wrong])
    with pytest.raises(ConfigError, match=f"outside_oracle:Oracle estimated .*{message}"):
        system_of("outside_oracle:Oracle")(bench)


def test_a_plugin_that_finds_no_alignment(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AlignmentError("nothing fits")

    monkeypatch.setattr(Oracle, "follow", fail)
    outcome = system_of("outside_oracle:Oracle")(bench)
    assert np.isinf(outcome.error_s).all() and outcome.notes == ("no alignment: nothing fits",)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_xyz:System", "cannot load the plug-in no_such_module_xyz:System"),
        ("outside_oracle:Nothing", "cannot load the plug-in"),
        ("outside_oracle:Wrong", "has no method prepare"),
        ("live:best", "unknown system 'live:best'"),
        ("positions:", "unknown system 'positions:'"),
    ],
)
def test_a_system_that_cannot_be_is_refused_before_the_work(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        system_name(name)
    assert system_name("positions:somewhere") == "positions:somewhere"


def test_written_positions_give_the_same_errors_again(bench: Workbench, scenario: Scenario, tmp_path: Path) -> None:
    """What `--out` wrote of a plug-in is read back as positions made elsewhere, in every place they may lie."""
    outcome = system_of("outside_oracle:Oracle=0.1")(bench)
    written = tmp_path / "out" / scenario.name / "outside_oracle-Oracle-0.1" / "positions.csv"
    (tmp_path / "a" / scenario.name).mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for place in (f"a/{scenario.name}/positions.csv", f"b/{scenario.name}.csv"):
        (tmp_path / place).write_bytes(written.read_bytes())
        again = system_of(f"positions:{tmp_path / place[0]}")(bench)
        np.testing.assert_allclose(again.error_s, outcome.error_s, atol=2e-6)
        np.testing.assert_array_equal(again.confidence, outcome.confidence)
        assert again.behaviour is not None and outcome.behaviour is not None
        assert again.behaviour.lost_false == outcome.behaviour.lost_false


def test_an_alignment_is_interpolated(bench: Workbench, scenario: Scenario, tmp_path: Path) -> None:
    truth = scenario.truth
    np.save(tmp_path / f"{scenario.name}.npy", np.array([truth.piano_s, truth.orchestra_s + 0.125]))
    outcome = system_of(f"positions:{tmp_path}")(bench)
    np.testing.assert_allclose(outcome.error_s, 0.125, atol=1e-9)


def test_positions_without_a_rate_run_at_one(bench: Workbench, scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / f"{scenario.name}.csv").write_text("audio_time_s,orchestra_time_s\n0.0,5.0\n")
    truth = scenario.truth
    np.testing.assert_allclose(
        system_of(f"positions:{tmp_path}")(bench).error_s, 5.0 + truth.beat_s - truth.beat_orchestra_s
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("{}.csv", b"audio_time_s,orchestra_time_s\n1,x\n", "not a table of numbers"),
        ("{}.csv", b"a,b\n1,2\n", "needs rows with audio_time_s"),
        ("{}.csv", b"audio_time_s,orchestra_time_s\n2,1\n1,1\n", "does not go back"),
        ("{}.csv", b"\xff\xfe", "cannot read"),
        ("{}.npy", b"no array", "as numpy.save writes it"),
    ],
)
def test_wrong_positions_say_what_is_wrong(
    bench: Workbench, scenario: Scenario, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name.format(scenario.name)).write_bytes(content)
    with pytest.raises(ScenarioError, match=message):
        system_of(f"positions:{tmp_path}")(bench)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2)), np.array([[0.0, np.nan], [0, 1]])])
def test_wrong_alignments_say_what_is_wrong(bench: Workbench, scenario: Scenario, tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / f"{scenario.name}.npy", array)
    with pytest.raises(ScenarioError, match=r"\(2, n\) is needed|increasing seconds"):
        system_of(f"positions:{tmp_path}")(bench)


def test_the_command_measures_what_is_outside_without_preparing_anything(
    short_demo: Path, scenario: Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "theirs"
    options = ["evaluate", str(short_demo), "--system", f"positions:{folder}", "--cache-dir", str(tmp_path / "caches")]
    assert main(options) == 2
    assert "no positions of short_demo: none of" in capsys.readouterr().err
    folder.mkdir()
    np.save(folder / "short_demo.npy", np.array([scenario.truth.piano_s, scenario.truth.orchestra_s]))
    assert main([*options, "--system", "outside_oracle:Hindsight", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert f"positions:{folder}" in out and "note: short_demo, outside_oracle:Hindsight: with hindsight" in out
    assert not (tmp_path / "caches").exists()
    assert not needs_cache("outside_oracle:Hindsight") and needs_cache("naive")


def test_every_scenario_needs_positions(scenario: Scenario, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no positions of short_demo"):
        check_scenario(f"positions:{tmp_path}", scenario)
    check_scenario("naive", scenario)


def test_the_contract_is_what_the_example_names() -> None:
    assert {"prepare", "follow"} <= set(dir(contract.EvaluatedSystem))
