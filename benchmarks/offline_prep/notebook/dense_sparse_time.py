"""The notebook's dense-sparse DTW beside ours: time on the same problem, and memory at the length of a movement.

    python -m benchmarks.offline_prep.notebook.dense_sparse_time [--minutes M] [--record]

The notebook's loop is below as it is there. Rows are selected as in real classifications (the gaps in `tests/data`,
again and again) or as named. Both are given the same cost matrix of `FRAMES` columns and must return the same D, B and
path, or the program ends with 1: `whole` is ours with D and B, `path` the path alone, computed in little memory.
The long problem (M minutes of mix and of reference) is computed from features, as recordings are, in a process of its
own, of which the growth of the peak is given.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import jit
from numpy.typing import NDArray

from benchmarks.results import ROOT, add_option, record

FRAMES = 6000
"""Columns of the compared problems, 2.3 minutes: the notebook's three matrices of them still fit into memory."""
FRAMES_A_MINUTE = 60 * 22050 / 512
ROUNDS = 3
SEED = 20261128


@jit(nopython=True)
def dtw_sparse_subseq(C, gaplens):  # type: ignore[no-untyped-def]
    D = np.ones(C.shape) * np.inf
    B = np.zeros(C.shape, dtype=np.int32)
    steps = np.array([1, 1, 1, 2, 2, 1]).reshape((-1, 2))
    weights = np.array([1, 1, 2])
    D[0, :] = C[0, :]
    for row in range(1, C.shape[0]):
        for col in range(1, C.shape[1]):
            if row >= 2 and gaplens[row - 2] == 1 and gaplens[row - 1] == 1:
                bestCost = D[row, col]
                bestCostIndex = -1
                for stepIndex in range(steps.shape[0]):
                    if row - steps[stepIndex][0] >= 0 and col - steps[stepIndex][1] >= 0:
                        costForStep = (
                            C[row, col] * weights[stepIndex] + D[row - steps[stepIndex][0], col - steps[stepIndex][1]]
                        )
                        if costForStep < bestCost:
                            bestCost = costForStep
                            bestCostIndex = stepIndex
                D[row, col] = bestCost
                B[row, col] = bestCostIndex
            else:
                crange_lbound = max(col - gaplens[row - 1] * 2, 0)
                crange_ubound = col - int(np.ceil(gaplens[row - 1] / 2)) + 1
                if crange_ubound > crange_lbound:
                    D[row, col] = np.min(D[row - 1, crange_lbound:crange_ubound]) + C[row, col]
                    B[row, col] = col - (crange_lbound + np.argmin(D[row - 1, crange_lbound:crange_ubound]))
    path = dtw_backtrace_sparse(D, B, gaplens, steps, subseq=True)
    path.reverse()
    path = np.array(path).T
    return D, B, path


@jit(nopython=True)
def dtw_backtrace_sparse(D, B, gaplens, steps, subseq):  # type: ignore[no-untyped-def]
    rstart = B.shape[0] - 1
    cstart = np.argmin(D[-1]) if subseq else B.shape[1] - 1
    pos = (rstart, cstart)
    path = []
    path.append(pos)
    while (pos[0] != 0 and pos[1] != 0) or (pos[0] and subseq):
        (row, col) = pos
        if row >= 2 and gaplens[row - 1] == 1 and gaplens[row - 2] == 1:
            stepidx = B[row, col]
            (rstep, cstep) = steps[stepidx]
            pos = (row - rstep, col - cstep)
            path.append(pos)
        else:
            rstep = 1
            cstep = B[row, col]
            pos = (row - rstep, col - cstep)
            path.append(pos)
    return path


def real_gaps(role: str, frames: int) -> NDArray[np.int64]:
    """Gaps of two real classifications, one after the other until `frames` are spanned."""
    found = []
    for name in ("notebook_pub02_rach2_clean", "notebook_pub05_bach_1052_clean"):
        with np.load(ROOT / "tests" / "data" / f"{name}.npz", allow_pickle=False) as data:
            found.append(data[f"gaplens_{role}"])
    once = np.concatenate(found)
    gaps = np.tile(once, 1 + frames // int(once.sum()))
    return gaps[: int(np.searchsorted(np.cumsum(gaps), frames))].astype(np.int64)


def problems() -> dict[str, NDArray[np.int64]]:
    every_seventh = np.full(FRAMES // 7, 7, dtype=np.int64)
    return {
        "piano frames": real_gaps("piano", FRAMES),
        "orchestra frames": real_gaps("orchestra", FRAMES),
        "every frame": np.ones(FRAMES, dtype=np.int64),
        "every 7th frame": every_seventh,
    }


def least_s(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor time of the fastest of some rounds, and what came out."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        result = work()
        times.append(time.process_time() - begin)
    return min(times), result


def compare(name: str, gaps: NDArray[np.int64]) -> dict[str, Any]:
    from offline_prep.notebook.subsequence import dense_sparse_dtw, dense_sparse_path

    C = np.random.default_rng(SEED).uniform(size=(len(gaps), FRAMES)).astype(np.float32)
    notebook_s, (D, B, path) = least_s(lambda: dtw_sparse_subseq(C, gaps))
    whole_s, ours = least_s(lambda: dense_sparse_dtw(C, gaps))
    path_s, ours_path = least_s(lambda: dense_sparse_path(lambda a, b: C[a:b], C.shape, gaps))
    pairs = ((D, ours.D), (B, ours.B), (path, ours.path), (path, ours_path))
    return {
        "selected": name,
        "rows": len(gaps),
        "columns": FRAMES,
        "notebook_s": round(notebook_s, 3),
        "whole_s": round(whole_s, 3),
        "path_s": round(path_s, 3),
        "whole_ratio": round(notebook_s / whole_s, 1),
        "path_ratio": round(notebook_s / path_s, 1),
        "equal": all(np.array_equal(a, b) for a, b in pairs),
    }


def peak_mb() -> float:
    """Of this process: `getrusage` would give the larger one of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def long_problem(minutes: float, role: str) -> dict[str, Any]:
    from follower.kernels.dense_sparse_offline import warmup
    from offline_prep.notebook.subsequence import dense_sparse_path

    warmup()
    frames = round(minutes * FRAMES_A_MINUTE)
    gaps = real_gaps(role, frames)
    rng = np.random.default_rng(SEED)
    query = rng.uniform(size=(len(gaps), 12)).astype(np.float32)
    reference = rng.uniform(size=(12, frames)).astype(np.float32)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    reference /= np.linalg.norm(reference, axis=0)
    _ = query[:32] @ reference[:, :64]
    before_mb = peak_mb()
    begin = time.process_time()
    path = dense_sparse_path(lambda a, b: np.float32(1) - query[a:b] @ reference, (len(gaps), frames), gaps)
    cells = len(gaps) * frames
    return {
        "selected": f"{role} frames",
        "minutes": f"{minutes:g} x {minutes:g}",
        "rows": len(gaps),
        "columns": frames,
        "cpu_s": round(time.process_time() - begin, 2),
        "path_points": path.shape[1],
        "added_peak_mb": round(peak_mb() - before_mb),
        "notebook_matrices_gb": round(cells * (8 + 8 + 4) / 1e9, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=12.0, metavar="M")
    add_option(parser)
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
    for warm in (np.array([1, 1, 1, 2, 1], dtype=np.int64), np.ones(5, dtype=np.int64)):
        dtw_sparse_subseq(np.ones((5, 20), dtype=np.float32), warm)
    compared = []
    long = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, gaps in problems().items():
            compared.append(compare(name, gaps))
            print("  ".join(f"{k} {v}" for k, v in compared[-1].items()), flush=True)
        for role in ("piano", "orchestra"):
            long.append(pool.apply(long_problem, (args.minutes, role)))
            print("  ".join(f"{k} {v}" for k, v in long[-1].items()), flush=True)
    if not all(row["equal"] for row in compared):
        print("error: not equal to the notebook's", file=sys.stderr)
        return 1
    if args.record:
        record("dense_sparse_time", {"compared": compared, "long": long})
    return 0


if __name__ == "__main__":
    sys.exit(main())
