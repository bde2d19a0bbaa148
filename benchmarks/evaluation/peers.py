#!/usr/bin/env python3
"""Other people's real-time followers on our scenarios, by our live metric.

    python -m benchmarks.evaluation.peers SCENARIO... --caches DIR [--peer NAME ...] [--peer-python PYTHON]
        [--json F] [--record NAME]

| peer | what it is |
|---|---|
| arzt | pymatchmaker 0.3's default: online time warping after Arzt and Widmer, chroma, 44.1 kHz, 30 frames a second |
| dixon | pymatchmaker's online time warping after Dixon, log spectral energy, 30 frames a second |
| noa | the follower of realtime-accompaniment 1.0: the full online DTW frontier, chroma, steps (1,1) (1,2) (2,1) |

All have their own features and settings. They follow the piano in the full mix; our PO-O map (from `--caches`, a
prepared cache per scenario, named like it) brings their positions into the orchestra recording, so what differs is the
following alone. None of them can find an unknown start: each runs once from the full mix's beginning and once with mix
and piano both cut at the true first note, the best case. Each estimate is the end of the reference frame matched to the
newest live frame, at the sample at which that frame was complete.

The peers need libraries that this project does not want. Give them an environment of their own:

    python3 -m venv peers
    peers/bin/pip install pymatchmaker
    peers/bin/pip install --no-deps realtime-accompaniment
    python -m benchmarks.evaluation.peers SCENARIO... --caches DIR --peer-python peers/bin/python
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from follower.evaluation.scenario import Scenario
    from follower.evaluation.systems.outcome import Outcome
    from follower.piece.mix_map import MixMap

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]


# ---- In the peers' own environment: only numpy and the peers. Samples in, matched frames out. ----


def follow_matchmaker(method: str, live: Samples, reference: Samples, rate_hz: int) -> Frames:
    """Frames of `reference` that pymatchmaker believes in after each of the live frames."""
    # Without this, partitura (which it imports) downloads a sound font first.
    sys.modules["fluidsynth"] = None  # type: ignore[assignment]
    import queue

    from matchmaker.dp import OnlineTimeWarpingArztFrame, OnlineTimeWarpingDixonFrame
    from matchmaker.features.audio import ChromagramProcessor, LogSpectralEnergyProcessor
    from matchmaker.io.audio import BytesAudioStream
    from matchmaker.io.stream import STREAM_END

    frame_rate, hop = 30, rate_hz // 30
    # Classes and settings are those of its own table of defaults (matchmaker.DEFAULT_KWARGS).
    settings: dict[str, float]
    if method == "arzt":
        follower_class = OnlineTimeWarpingArztFrame
        processor = ChromagramProcessor(sample_rate=rate_hz, hop_length=hop)
        settings = {"window_size": 10, "start_window_size": 0.1, "step_size": 3}
    else:
        follower_class = OnlineTimeWarpingDixonFrame
        processor = LogSpectralEnergyProcessor(sample_rate=rate_hz, hop_length=hop)
        settings = {"window_size": 10}
    features, _ = processor((reference, 0.0))
    processor.reset()
    blocks: queue.Queue[bytes | None] = queue.Queue()
    for begin in range(0, len(live) - hop + 1, hop):
        blocks.put(live[begin : begin + hop].tobytes())
    blocks.put(None)
    stream = BytesAudioStream(processor, rate_hz, hop, blocks)
    stream.run()
    frame_s = np.arange(len(features)) / frame_rate
    follower = follower_class(
        reference_features=features,
        score_positions=frame_s,
        frame_rate=frame_rate,
        ref_frame_to_beat=frame_s,
        **settings,
    )
    out: list[int] = []
    while (item := stream.queue.get()) is not STREAM_END:
        # At the end of the reference it stops; the last position is held.
        out.append(round(follower(*item) * frame_rate) if follower.is_still_following() else out[-1])
    return np.array(out, np.int64)


def follow_noa(live: Samples, reference: Samples, rate_hz: int) -> Frames:
    """The same of realtime-accompaniment, which never stops to search the whole reference."""
    import librosa

    if importlib.util.find_spec("pyaudio") is None:
        # It imports pyaudio for live sound, which needs a compiler; here no device is used.
        stand_in: Any = types.ModuleType("pyaudio")
        stand_in.Stream = object
        sys.modules["pyaudio"] = stand_in
    from noa.alignment._numba import compute_cosine_distance, update_alignment_row_numba
    from utils.constants import DEFAULT_DTW_STEPS, DEFAULT_DTW_WEIGHTS

    def normalised(chroma: Samples) -> Samples:
        norm = np.linalg.norm(chroma, axis=0)
        return np.ascontiguousarray(chroma / np.where(norm > 0, norm, 1.0), dtype=np.float32)

    chroma = librosa.feature.chroma_stft
    of_reference = normalised(chroma(y=reference, sr=rate_hz, hop_length=512))
    # A live frame by itself, as it would arrive: the tuning is estimated from what there is, as in their code.
    windows = np.lib.stride_tricks.sliding_window_view(live, 2048)[::512]
    frames = [chroma(y=w, sr=rate_hz, hop_length=512, n_fft=2048, center=False)[:, 0] for w in windows]
    of_live = normalised(np.array(frames, np.float32).T)
    n = of_reference.shape[1]
    dn, dm = np.ascontiguousarray(DEFAULT_DTW_STEPS.T, dtype=np.int32)
    weights = np.ascontiguousarray(DEFAULT_DTW_WEIGHTS, dtype=np.float32)
    D = np.full((of_live.shape[1], n), np.inf, np.float32)
    B = np.full(D.shape, -1, np.int32)
    out = np.zeros(of_live.shape[1], np.int64)
    for i in range(len(out)):
        costs = compute_cosine_distance(of_live[:, i], of_reference)
        if i == 0:
            D[0, 0] = costs[0]
            continue
        out[i] = update_alignment_row_numba(i, None, costs, D, B, dn, dm, weights, n)
        if out[i] >= n - 1:
            out[i:] = out[i]
            break
    return out


@dataclass(frozen=True)
class Peer:
    """How to run a peer, and what its frame numbers mean.

    Attributes:
        package: to install.
        module: shows that it is installed.
        rate_hz: of the audio it takes.
        hop_samples: between its frames.
        live_window_samples: what live frame 0 needs before it is complete.
        reference_window_samples: where reference frame 0 ends.
        follow: live and reference samples in, one matched frame of the reference per live frame out.
    """

    package: str
    module: str
    rate_hz: int
    hop_samples: int
    live_window_samples: int
    reference_window_samples: int
    follow: Callable[[Samples, Samples, int], Frames]


PEERS = {
    "arzt": Peer("pymatchmaker", "matchmaker", 44100, 1470, 2940, 2940, lambda *a: follow_matchmaker("arzt", *a)),
    "dixon": Peer("pymatchmaker", "matchmaker", 44100, 1470, 2940, 2940, lambda *a: follow_matchmaker("dixon", *a)),
    # Its reference frames are centred (they end 1024 samples after their time), its live frames are not.
    "noa": Peer("realtime-accompaniment", "noa", 22050, 512, 2048, 1024, follow_noa),
}


def child(name: str, folder: Path) -> int:
    """Run a peer here: live.npy and reference.npy of a folder in, frames.npy out."""
    peer = PEERS[name]
    live, reference = (np.load(folder / f"{x}.npy", allow_pickle=False) for x in ("live", "reference"))
    np.save(folder / "frames.npy", peer.follow(live, reference, peer.rate_hz))
    return 0


# ---- In the project's environment ----


def estimated_positions(peer: Peer, frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a peer's frames say: live seconds consumed, and the position in the reference (s) estimated then.

    Example:
        >>> at, position = estimated_positions(PEERS["arzt"], np.array([0, 3]))
        >>> at.round(3).tolist(), position.round(3).tolist()
        ([0.067, 0.1], [0.067, 0.167])
    """
    at = (np.arange(len(frames)) * peer.hop_samples + peer.live_window_samples) / peer.rate_hz
    return at, (frames * peer.hop_samples + peer.reference_window_samples) / peer.rate_hz


def require_peer(python: str, peer: Peer) -> None:
    """Say what to install where a peer is missing.

    Raises:
        MissingDependencyError: it is.
    """
    from follower.errors import MissingDependencyError

    looks = f"import importlib.util as u, sys; sys.exit(u.find_spec({peer.module!r}) is None)"
    try:
        missing = subprocess.run([python, "-c", looks], check=False).returncode
    except OSError as e:
        raise MissingDependencyError(f"cannot run {python} ({e.strerror}); give --peer-python another one") from e
    if missing:
        raise MissingDependencyError(
            f"{peer.package} is not installed for {python}; make it an environment of its own (python3 -m venv peers; "
            f"peers/bin/pip install {peer.package}) and give --peer-python peers/bin/python"
        )


def run_peer(name: str, python: str, live: Samples, reference: Samples) -> tuple[Frames, float]:
    """A peer's frames, and the seconds it took (start-up and features included)."""
    from follower.errors import FollowerError

    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "live.npy", live)
        np.save(Path(folder) / "reference.npy", reference)
        begin = time.perf_counter()
        done = subprocess.run([python, __file__, "--child", name, folder], check=False, capture_output=True, text=True)
        if done.returncode:
            raise FollowerError(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}; run {done.args} to see more")
        frames = np.load(Path(folder) / "frames.npy", allow_pickle=False)
        return frames, time.perf_counter() - begin


def follow_scenario(name: str, python: str, scenario: Scenario, mix_map: MixMap, known: bool) -> dict[str, Outcome]:
    """A peer on a scenario: errors in the orchestra recording (through our map) and in the full mix."""
    from follower.evaluation.beat_errors import live_errors
    from follower.evaluation.behaviour import behaviour
    from follower.evaluation.estimates import Estimates
    from follower.evaluation.systems.live import mix_target
    from follower.evaluation.systems.outcome import Outcome
    from offline_prep.audio import load_recording, resample

    peer, truth = PEERS[name], scenario.truth
    begin_s = (float(truth.piano_s[0]), float(truth.mix_s[0])) if known else (0.0, 0.0)
    samples = []
    for path, cut_s in zip((scenario.piano, scenario.mix), begin_s, strict=True):
        recording = load_recording(path)
        whole = resample(recording.samples, recording.sample_rate_hz, peer.rate_hz)
        samples.append(np.ascontiguousarray(whole[round(cut_s * peer.rate_hz) :], dtype=np.float32))
    frames, compute_s = run_peer(name, python, samples[0], samples[1])
    at_s, mix_s = (x + cut_s for x, cut_s in zip(estimated_positions(peer, frames), begin_s, strict=True))
    orchestra_s, slope = np.asarray(mix_map.to_orchestra(mix_s)), np.asarray(mix_map.slope_at(mix_s))
    # No peer estimates a rate. Frames are 23 or 33 ms apart, so the full mix's own tempo in between is near enough.
    in_mix, in_orchestra = Estimates.build(at_s, mix_s, np.ones(len(at_s))), Estimates.build(at_s, orchestra_s, slope)
    label = f"{name}, {'known' if known else 'unknown'} start"
    none = np.full(len(truth.beat_s), np.nan)
    return {
        f"{label}, P to O": Outcome(
            live_errors(in_orchestra, truth.beat_s, truth.beat_orchestra_s),
            none,
            behaviour(in_orchestra, truth.piano_s, truth.orchestra_s),
            compute_s,
        ),
        f"{label}, P to PO": Outcome(
            live_errors(in_mix, truth.beat_s, truth.beat_mix_s),
            none,
            behaviour(in_mix, *mix_target(truth)),
            compute_s,
        ),
    }


def measure(args: argparse.Namespace) -> int:
    from benchmarks.results import record
    from follower.evaluation.scenario import load_scenario
    from follower.evaluation.table import error_table, note_lines, pools, to_json
    from follower.piece.reading import load_piece
    from follower.terminal import print_table

    names = args.peer or list(PEERS)
    for name in names:
        require_peer(args.peer_python, PEERS[name])
    results: dict[str, dict[str, Outcome]] = {}
    for folder in args.scenarios:
        scenario = load_scenario(folder)
        mix_map = load_piece(args.caches / scenario.name).map
        results[scenario.name] = {}
        for name in names:
            for known in (False, True):
                results[scenario.name] |= follow_scenario(name, args.peer_python, scenario, mix_map, known)
        print(f"{scenario.name} done", file=sys.stderr, flush=True)
        pooled = pools(results, args.pool)
        if args.json is not None:
            args.json.write_text(json.dumps(to_json(results, pooled, {"peers": names}), indent=1) + "\n", "utf-8")
    if args.record:
        record(args.record, to_json(results, pooled, {"peers": names}))
    print_table(error_table(results, pooled))
    for line in note_lines(results):
        print(line)
    return 0


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        return child(sys.argv[2], Path(sys.argv[3]))
    from follower.errors import FollowerError

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", type=Path, nargs="+", metavar="SCENARIO")
    parser.add_argument("--caches", type=Path, required=True, metavar="DIR", help="holds a cache per scenario")
    parser.add_argument("--peer", action="append", choices=tuple(PEERS), help="repeatable; default: all")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PYTHON", help="where the peers are installed")
    parser.add_argument("--pool", action="append", default=[], metavar="PATTERN[,PATTERN]")
    parser.add_argument("--json", type=Path, metavar="F", help="write everything as JSON, after every scenario")
    parser.add_argument("--record", metavar="NAME", help="write benchmarks/results/NAME.json (peers, peers_pub2)")
    try:
        return measure(parser.parse_args())
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
