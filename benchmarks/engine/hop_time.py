"""Time per hop and memory of the live engine on one recording.

    python -m benchmarks.engine.hop_time CACHE PIANO [--method M ...] [--json F] [--record]

Every method runs in a process of its own, on one thread, as fast as it can: one block per hop (512 samples at
22050 Hz), as a microphone would deliver it. Times are those of `Engine.process` alone, on the wall clock and on the
processor (what is left when other programs take turns); kernels are compiled before.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import add_option, record
from follower.errors import FollowerError
from follower.inference.methods import METHODS

SETTLED_SHARE = 0.1
"""Memory and times are also compared between the first tenth of the run and the last."""


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def percentiles(times_s: list[float]) -> dict[str, float]:
    ms = 1e3 * np.array(times_s)
    values = {"p50_ms": np.percentile(ms, 50), "p99_ms": np.percentile(ms, 99), "max_ms": ms.max()}
    return {name: round(float(v), 3) for name, v in values.items()}


def measure(cache_path: Path, piano: Path, method: str) -> dict[str, Any]:
    from threadpoolctl import threadpool_limits

    from follower import kernels
    from follower.engine import Engine
    from follower.events import AudioBlock
    from follower.files.source import FileSource
    from follower.piece.reading import load_piece

    threadpool_limits(1)
    piece = load_piece(cache_path)
    config = piece.feature_config
    kernels.warmup()
    with FileSource(piano, speed=None) as source:
        rate = source.sample_rate_hz
    block_samples = round(config.hop_samples * rate / config.sample_rate_hz)
    wall: list[float] = []
    cpu: list[float] = []
    with FileSource(piano, block_samples, speed=None) as source:
        blocks = [b for b in source.blocks() if isinstance(b, AudioBlock)]
    engine = Engine(piece, rate, method)
    gc.collect()
    loaded_mb = resident_mb()
    settled_mb = loaded_mb
    events = 0
    for i, block in enumerate(blocks):
        begin, begin_cpu = time.perf_counter(), time.thread_time()
        events += len(engine.process(block))
        cpu.append(time.thread_time() - begin_cpu)
        wall.append(time.perf_counter() - begin)
        if i == int(SETTLED_SHARE * len(blocks)):
            settled_mb = resident_mb()
    tenth = max(1, int(SETTLED_SHARE * len(cpu)))
    audio_s = sum(len(b.samples) for b in blocks) / rate
    return {
        "method": method,
        "reference_s": round(piece.mix_duration_s, 1),
        "audio_s": round(audio_s, 1),
        "hops": len(cpu),
        "events": events,
        **{f"{name}_{k}": v for name, times in (("wall", wall), ("cpu", cpu)) for k, v in percentiles(times).items()},
        "cpu_p50_first_tenth_ms": percentiles(cpu[:tenth])["p50_ms"],
        "cpu_p50_last_tenth_ms": percentiles(cpu[-tenth:])["p50_ms"],
        "times_real_time": round(audio_s / sum(wall), 1),
        "loaded_mb": round(loaded_mb),
        "grown_after_first_tenth_mb": round(resident_mb() - settled_mb, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, metavar="CACHE")
    parser.add_argument("piano", type=Path, metavar="PIANO")
    parser.add_argument("--method", action="append", choices=tuple(METHODS), metavar="M", help="default: all")
    parser.add_argument("--json", type=Path, metavar="F")
    add_option(parser)
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
    found = []
    try:
        for method in args.method or METHODS:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found.append(pool.apply(measure, (args.cache, args.piano, method)))
            print("  ".join(f"{k} {v}" for k, v in found[-1].items()), flush=True)
    except FollowerError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    if args.record:
        record("speed", found)
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
