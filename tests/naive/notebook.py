"""The notebook's system written out plainly: whole matrices, loops, scikit-learn directly. Frames, not seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from tests.naive.dense_sparse_offline import STEPS, dense_sparse

Features = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Chroma (12, n), MFCC (20, n)."""


@dataclass(frozen=True)
class Stages:
    first_pass: NDArray[np.int64]
    piano_frames: NDArray[np.int64]
    p_po: NDArray[np.int64]
    o_po: NDArray[np.int64]
    hyp_s: NDArray[np.float64]


def cosine_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shapes (D, M) and (D, N) to (M, N)."""
    C = np.empty((a.shape[1], b.shape[1]))
    for i in range(a.shape[1]):
        for j in range(b.shape[1]):
            x, y = a[:, i], b[:, j]
            C[i, j] = 1 - np.dot(x, y) / (np.linalg.norm(x) * np.linalg.norm(y) + 1e-9)
    return C


def subsequence_path(C: NDArray[np.float64], weights: tuple[float, float, float]) -> NDArray[np.int64]:
    D = np.full(C.shape, np.inf)
    B = np.full(C.shape, -1)
    D[0] = C[0]
    for r in range(1, C.shape[0]):
        for c in range(C.shape[1]):
            for i, (rows, columns) in enumerate(STEPS):
                if r >= rows and c >= columns and C[r, c] * weights[i] + D[r - rows, c - columns] < D[r, c]:
                    D[r, c], B[r, c] = C[r, c] * weights[i] + D[r - rows, c - columns], i
    path = [(C.shape[0] - 1, int(np.argmin(D[-1])))]
    while path[-1][0] > 0:
        r, c = path[-1]
        path.append((r - STEPS[B[r, c]][0], c - STEPS[B[r, c]][1]))
    return np.array(path[::-1]).T


def dense_sparse_path(C: NDArray[np.float64], gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    D, B, dense = dense_sparse(C, gaps)
    path = [(C.shape[0] - 1, int(np.argmin(D[-1])))]
    while path[-1][0] > 0:
        r, c = path[-1]
        step = STEPS[B[r, c]] if dense[r] else (1, B[r, c])
        path.append((r - step[0], c - step[1]))
    return np.array(path[::-1]).T


def notebook_system(piano: Features, orchestra: Features, mix: Features) -> Stages:
    first = subsequence_path(cosine_distance(piano[0], mix[0]), (2.0, 3.0, 3.0))
    start, stop = first[1, 0], first[1, -1] + 1
    chroma, mfcc = mix[0][:, start:stop], mix[1][:, start:stop]
    with threadpool_limits(1):
        scores = [
            GaussianMixture(10, covariance_type="diag", random_state=0).fit(f[1][1:13].T).score_samples(mfcc[1:13].T)
            for f in (piano, orchestra)
        ]
    is_piano = scores[0] > scores[1]
    paths = []
    for selected, reference in ((np.flatnonzero(is_piano), piano[0]), (np.flatnonzero(~is_piano), orchestra[0])):
        gaps = np.append(selected[1:] - selected[:-1], stop - start - selected[-1])
        path = dense_sparse_path((1 - chroma[:, selected].T @ reference).astype(np.float64), gaps)
        paths.append(np.array([path[1], selected[path[0]] + start]))
    p_po, o_po = paths
    frames = np.arange(p_po[0, -1] + 1)
    hyp = np.interp(np.interp(frames, p_po[0], p_po[1]), o_po[1], o_po[0])
    return Stages(first, np.flatnonzero(is_piano), p_po, o_po, np.array([frames, hyp]) * 512 / 22050)


def select_features(
    F: NDArray[np.float32], frac_keep: float
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], float]:
    """`selectFeatures` of the notebook."""
    flux = np.sum(np.abs(F[:, 0:-1] - F[:, 1:]), axis=0)
    threshold = sorted(flux, reverse=True)[int(np.round(frac_keep * len(flux))) - 1]
    indices = np.where(np.array(flux > threshold) == 1)[0]
    gaps = np.append(indices[1:] - indices[0:-1], len(flux) - indices[-1])
    return F[:, indices], indices, gaps, threshold
