"""Other people's followers, run in environments of their own: needs numpy and the follower, nothing of this project.

PYTHON peer_followers.py NAME FOLDER    # live.npy and reference.npy in, frames.npy out
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]


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


def follow_librosa(live: Samples, reference: Samples, rate_hz: int) -> Frames:
    """Subsequence DTW as librosa does it, on its chroma, with hindsight."""
    from librosa.feature import chroma_cqt
    from librosa.sequence import dtw

    features = [chroma_cqt(y=x, sr=rate_hz, hop_length=1024) for x in (live, reference)]
    _, path = dtw(*features, metric="cosine", subseq=True)
    return _at_every_frame(path[::-1].T, features[0].shape[1])


def follow_synctoolbox(live: Samples, reference: Samples, rate_hz: int) -> Frames:
    """Multi-scale DTW of Sync Toolbox on chroma and onsets, as in its tutorial, with hindsight and from end to end."""
    from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw
    from synctoolbox.feature.chroma import pitch_to_chroma, quantize_chroma
    from synctoolbox.feature.dlnco import pitch_onset_features_to_DLNCO
    from synctoolbox.feature.pitch import audio_to_pitch_features
    from synctoolbox.feature.pitch_onset import audio_to_pitch_onset_features
    from synctoolbox.feature.utils import estimate_tuning

    def features(samples: Samples) -> tuple[Any, Any]:
        of = {"f_audio": samples, "Fs": rate_hz, "tuning_offset": estimate_tuning(samples, rate_hz), "verbose": False}
        chroma = quantize_chroma(f_chroma=pitch_to_chroma(f_pitch=audio_to_pitch_features(feature_rate=50, **of)))
        onsets = pitch_onset_features_to_DLNCO(
            f_peaks=audio_to_pitch_onset_features(**of), feature_rate=50, feature_sequence_length=chroma.shape[1]
        )
        return chroma, onsets

    (live_chroma, live_onsets), (chroma, onsets) = features(live), features(reference)
    path = sync_via_mrmsdtw(
        f_chroma1=live_chroma,
        f_onset1=live_onsets,
        f_chroma2=chroma,
        f_onset2=onsets,
        input_feature_rate=50,
        step_weights=np.array([1.5, 1.5, 2.0]),
        threshold_rec=10**6,
        verbose=False,
    )
    return _at_every_frame(path, live_chroma.shape[1])


def _at_every_frame(path: Any, n: int) -> Frames:
    """The reference frame of each of n live frames on a path (2, L)."""
    live, reference = np.asarray(path, np.float64)
    first, index = np.unique(live, return_index=True)
    found: Frames = np.round(np.interp(np.arange(n), first, reference[index])).astype(np.int64)
    return found


@dataclass(frozen=True)
class Peer:
    """How to run a peer, and what its frame numbers mean.

    Attributes:
        package: that has it.
        installs: words after `pip install` that make its environment, one call each.
        module: shows that it is installed.
        rate_hz: of the audio it takes.
        hop_samples: between its frames.
        live_window_samples: what live frame 0 needs before it is complete.
        reference_window_samples: where reference frame 0 ends.
        follow: live and reference samples in, one matched frame of the reference per live frame out.
        hindsight: whether it sees the whole performance; its frames are centred then.
    """

    package: str
    installs: tuple[tuple[str, ...], ...]
    module: str
    rate_hz: int
    hop_samples: int
    live_window_samples: int
    reference_window_samples: int
    follow: Callable[[Samples, Samples, int], Frames]
    hindsight: bool = False


MATCHMAKER = ("pymatchmaker", (("pymatchmaker",),), "matchmaker", 44100, 1470, 2940, 2940)
NOA = (("librosa", "numba"), ("--no-deps", "realtime-accompaniment"))
PEERS = {
    "arzt": Peer(*MATCHMAKER, lambda *a: follow_matchmaker("arzt", *a)),
    "dixon": Peer(*MATCHMAKER, lambda *a: follow_matchmaker("dixon", *a)),
    # Its reference frames are centred (they end 1024 samples after their time), its live frames are not.
    "noa": Peer("realtime-accompaniment", NOA, "noa", 22050, 512, 2048, 1024, follow_noa),
    "librosa": Peer("librosa", (("librosa",),), "librosa", 22050, 1024, 0, 0, follow_librosa, hindsight=True),
    "synctoolbox": Peer(
        "synctoolbox", (("synctoolbox",),), "synctoolbox", 22050, 441, 0, 0, follow_synctoolbox, hindsight=True
    ),
}


def main() -> int:
    """Run a peer here."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    peer = PEERS[name]
    live, reference = (np.load(folder / f"{x}.npy", allow_pickle=False) for x in ("live", "reference"))
    np.save(folder / "frames.npy", peer.follow(live, reference, peer.rate_hz))
    return 0


if __name__ == "__main__":
    sys.exit(main())
