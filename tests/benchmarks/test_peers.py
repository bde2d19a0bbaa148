"""What a peer's frames mean, and what is said when a peer is missing. No peer is needed."""

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
@pytest.mark.parametrize("name", ["arzt", "noa"])
def test_a_peer_that_is_right_has_no_error(
    peers: ModuleType, short_demo: Path, monkeypatch: pytest.MonkeyPatch, name: str, known: bool
) -> None:
    scenario, peer = load_scenario(short_demo), peers.PEERS[name]
    truth = scenario.truth
    lengths: list[tuple[int, int]] = []

    def run_peer(_name: str, _python: str, live: Any, reference: Any) -> tuple[NDArray[np.int64], float]:
        lengths.append((len(live), len(reference)))
        cut_s = (float(truth.piano_s[0]), float(truth.mix_s[0])) if known else (0.0, 0.0)
        return perfect(scenario, peer, *cut_s), 1.0

    monkeypatch.setattr(peers, "run_peer", run_peer)
    mix_map = MixMap(truth.orchestra_s, truth.mix_s, np.ones(len(truth.mix_s)))
    outcomes = peers.follow_scenario(name, "python", scenario, mix_map, known)
    assert [label.rpartition(", ")[2] for label in outcomes] == ["P to O", "P to PO"]
    for outcome in outcomes.values():
        later = np.abs(outcome.error_s)[1:]  # at the first beat no frame may be complete yet
        assert len(later) > 5 and later.max() < 0.04
    seconds = [soundfile.info(path).duration for path in (scenario.piano, scenario.mix)]
    cut = (truth.piano_s[0], truth.mix_s[0]) if known else (0.0, 0.0)
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
        "folder = pathlib.Path(sys.argv[4])\n"
        "live, reference = (np.load(folder / f'{x}.npy') for x in ('live', 'reference'))\n"
        "assert sys.argv[2] == '--child' and sys.argv[3] == 'dixon', sys.argv\n"
        "np.save(folder / 'frames.npy', np.array([len(live), len(reference)]))\n"
    )
    stand_in.chmod(0o755)
    frames, _ = peers.run_peer("dixon", str(stand_in), np.zeros(5, np.float32), np.zeros(7, np.float32))
    assert frames.tolist() == [5, 7]
    with pytest.raises(FollowerError, match=r"arzt failed.*AssertionError"):
        peers.run_peer("arzt", str(stand_in), np.zeros(5, np.float32), np.zeros(7, np.float32))


def test_what_is_missing_is_named(peers: ModuleType) -> None:
    absent = peers.Peer("a-peer", "no_such_module_xyz", 1, 1, 1, 1, lambda live, reference, rate: live)
    with pytest.raises(MissingDependencyError, match="pip install a-peer"):
        peers.require_peer(sys.executable, absent)
    with pytest.raises(MissingDependencyError, match="cannot run /no/such/python"):
        peers.require_peer("/no/such/python", absent)
    peers.require_peer(sys.executable, peers.Peer("numpy", "numpy", 1, 1, 1, 1, absent.follow))
