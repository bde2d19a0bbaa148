"""What a peer's frames mean, what its process used, and what is said when a peer is missing. No peer is needed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from follower.errors import FollowerError, MissingDependencyError
from follower.evaluation.scenario import Scenario, load_scenario
from follower.piece.mix_map import MixMap
from tests.paths import BENCHMARKS

SCRIPT = BENCHMARKS / "evaluation" / "peers.py"


@pytest.fixture(scope="module")
def peers() -> ModuleType:
    return importlib.import_module("benchmarks.evaluation.peers")


def perfect(scenario: Scenario, peer: Any, live_from_s: float, reference_from_s: float) -> NDArray[np.int64]:
    """Frames of a peer that is always right."""
    truth = scenario.truth
    n = int((truth.piano_s[-1] - live_from_s) * peer.rate_hz - peer.live_window_samples) // peer.hop_samples
    at_s = (np.arange(n) * peer.hop_samples + peer.live_window_samples) / peer.rate_hz + live_from_s
    position = (np.interp(at_s, truth.piano_s, truth.mix_s) - reference_from_s) * peer.rate_hz
    frames: NDArray[np.int64] = np.round((position - peer.reference_window_samples) / peer.hop_samples).astype(np.int64)
    return frames


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("name", ["arzt", "noa", "librosa", "synctoolbox"])
def test_a_peer_that_is_right_has_no_error(
    peers: ModuleType, short_demo: Path, monkeypatch: pytest.MonkeyPatch, name: str, known: bool
) -> None:
    scenario, peer = load_scenario(short_demo), peers.PEERS[name]
    truth = scenario.truth
    lengths: list[tuple[int, int]] = []

    def run_peer(_name: str, _python: str, live: Any, reference: Any) -> tuple[NDArray[np.int64], Any]:
        lengths.append((len(live), len(reference)))
        cut_s = (float(truth.piano_s[0]), float(truth.mix_s[0])) if known else (0.0, 0.0)
        return perfect(scenario, peer, *cut_s), peers.Cost(1.0, 10.0, 1)

    monkeypatch.setattr(peers, "run_peer", run_peer)
    mix_map = MixMap(truth.orchestra_s, truth.mix_s, np.ones(len(truth.mix_s)))
    outcomes, _ = peers.follow_scenario(name, "python", scenario, mix_map, known)
    assert [label.rpartition(", ")[2] for label in outcomes] == ["P to O", "P to PO"]
    for outcome in outcomes.values():
        later = np.abs(outcome.error_s)[1:]  # at the first beat no frame may be complete yet
        assert len(later) > 5 and later.max() < 0.04
    seconds = [soundfile.info(path).duration for path in (scenario.piano, scenario.mix)]
    cut = (truth.piano_s[0], truth.mix_s[0]) if known else (0.0, 0.0)
    if known and peer.hindsight:
        seconds[1] = truth.mix_s.max()
    for n, duration_s, cut_s in zip(lengths[0], seconds, cut, strict=True):
        assert abs(n / peer.rate_hz - (duration_s - cut_s)) < 0.001


def test_frames_end_with_their_windows(peers: ModuleType) -> None:
    at_s, position_s = peers.estimated_positions(peers.PEERS["noa"], np.array([10, 12]))
    assert np.allclose(at_s * 22050, [2048, 2560])
    assert np.allclose(position_s * 22050, [10 * 512 + 1024, 12 * 512 + 1024])


def test_samples_go_to_the_peers_process_and_frames_come_back(peers: ModuleType, tmp_path: Path) -> None:
    """A Python in which the peer is a few lines of ours."""
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!{sys.executable}\n"
        "import sys, numpy as np, pathlib\n"
        "folder = pathlib.Path(sys.argv[3])\n"
        "live, reference = (np.load(folder / f'{x}.npy') for x in ('live', 'reference'))\n"
        "assert sys.argv[1].endswith('peer_followers.py') and sys.argv[2] == 'dixon', sys.argv\n"
        "big = np.ones(20_000_000)\n"
        "np.save(folder / 'frames.npy', np.array([len(live), len(reference)]))\n"
    )
    stand_in.chmod(0o755)
    frames, cost = peers.run_peer("dixon", str(stand_in), np.zeros(5, np.float32), np.zeros(7, np.float32))
    assert frames.tolist() == [5, 7]
    assert cost.hops == 2 and cost.cpu_s > 0 and cost.peak_mb > 160
    with pytest.raises(FollowerError, match=r"arzt failed.*AssertionError"):
        peers.run_peer("arzt", str(stand_in), np.zeros(5, np.float32), np.zeros(7, np.float32))


def peer_of(peers: ModuleType, package: str, module: str, *installs: tuple[str, ...]) -> Any:
    return peers.Peer(package, installs, module, 1, 1, 1, 1, lambda live, reference, rate: live)


def test_what_is_missing_is_named(peers: ModuleType) -> None:
    absent = peer_of(peers, "a-peer", "no_such_module_xyz")
    with pytest.raises(MissingDependencyError, match="pip install a-peer"):
        peers.require(sys.executable, absent)
    with pytest.raises(MissingDependencyError, match="cannot run /no/such/python"):
        peers.require("/no/such/python", absent)
    peers.require(sys.executable, peer_of(peers, "numpy", "numpy"))


def test_environments_are_made_once_and_what_cannot_be_had_is_skipped_with_why(
    peers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environments are this one by another name: making one takes seconds, and is Python's own."""
    made: list[Path] = []

    def create(home: Path, with_pip: bool) -> None:
        assert with_pip
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (home / "bin" / "python").chmod(0o755)
        made.append(home)

    monkeypatch.setattr("venv.create", create)
    there = peer_of(peers, "numpy", "numpy", ("--no-index", "numpy"))
    absent = peer_of(peers, "a-peer", "no_such_module_xyz", ("--no-index", "a-peer-that-is-nowhere"))
    monkeypatch.setattr(peers, "PEERS", {"there": there, "absent": absent})
    for _ in range(2):
        pythons, skipped = peers.available(["there", "absent"], None, tmp_path)
        assert pythons == {"there": str(tmp_path / "numpy" / "bin" / "python")}
        assert list(skipped) == ["absent"]
        assert skipped["absent"].startswith("a-peer cannot be installed: No matching distribution found")
    assert made == [tmp_path / "numpy", tmp_path / "a-peer"]
    assert "skipped: absent: a-peer cannot be installed" in capsys.readouterr().err
    assert peers.available(["there"], sys.executable, tmp_path)[0] == {"there": sys.executable}


def test_costs_are_summed_per_hop(peers: ModuleType) -> None:
    rows = peers.cost_rows({"a": [peers.Cost(1.0, 100.4, 500), peers.Cost(3.0, 300.0, 500)]})
    assert rows == [{"system": "a", "cpu_ms_per_hop": 4.0, "peak_mb": 300}]


def test_paths_become_a_position_for_every_frame() -> None:
    followers = importlib.import_module("benchmarks.evaluation.peer_followers")
    path = np.array([[0, 0, 1, 3, 4], [10, 11, 12, 16, 17]])
    assert followers._at_every_frame(path, 6).tolist() == [10, 12, 14, 16, 17, 17]
