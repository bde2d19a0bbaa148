"""One command for what the program costs, beside what it cost at the last release.

    python -m benchmarks.history                      counts of work and processor times, with ratios
    python -m benchmarks.history --record VERSION     the same, kept in benchmarks/results/history
    python -m benchmarks.history --check              counts only; ends with 1 where one has grown

Work is counted (calls, cells, rows, bytes), the same on every computer, so the test suite holds it to the last release
recorded (`tests/benchmarks/test_history.py`). Times are processor times of the same short problems, for people: their
ratios say something only between runs on the same computer. `ALLOWED` is what a count may grow by: none where the
program decides it; a little where versions of Python and of libraries do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from benchmarks.results import FOLDER, _commit, _machine, print_rows

HISTORY: Final = FOLDER / "history" / "releases.json"
PIECE_S: Final = 40.0
LONG_PIECE_S: Final = 120.0
PLAYED_S: Final = 9.0
SETTLED_S: Final = 5.0
BLOCK_SAMPLES: Final = 512
ALLOWED: Final[Mapping[str, float]] = {
    "calls per hop, tempo": 1.1,
    "calls per hop, dense-sparse": 1.1,
    "modules loaded by import follower": 1.1,
    "modules loaded by follower --help": 1.1,
    "bytes of a position message": 1.02,
}
"""Factor by which a count may grow, 1 for those not named: other versions of Python call and load a little more."""


@dataclass(frozen=True)
class Entry:
    """What was measured of one version.

    Attributes:
        version: of the program.
        commit: with "+" where code had changed since.
        machine: where the times are from.
        date: of the measurement.
        work: counts by name.
        times_ms: processor times by name.
    """

    version: str
    commit: str
    machine: str
    date: str
    work: dict[str, float]
    times_ms: dict[str, float]


def calls_of(work: Callable[[], object]) -> int:
    """Calls of Python and C functions while `work` runs."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def count_hops(method: str, piece_s: float) -> tuple[float, float, float]:
    """Follow a made-up piece; return calls per hop once settled, cells of the belief per hop, and time per hop (ms)."""
    from follower import kernels
    from follower.engine import Engine
    from follower.events import AudioBlock
    from follower.inference.two_level_posterior import TwoLevelPosterior
    from follower.testing import SOUND_RATE_HZ, make_piece, make_sound

    kernels.warmup(kernels.FOLLOWING[method])
    sound = make_sound(PLAYED_S)
    engine = Engine(make_piece(piece_s), SOUND_RATE_HZ, method, start_s=0.0)
    settled = int(SETTLED_S * SOUND_RATE_HZ)

    def follow(begin: int, end: int) -> int:
        for at in range(begin, end - BLOCK_SAMPLES, BLOCK_SAMPLES):
            engine.process(AudioBlock(at, sound[at : at + BLOCK_SAMPLES]))
        return (end - begin) // BLOCK_SAMPLES

    follow(0, settled)
    begin = engine._next_sample
    middle = begin + (len(sound) - begin) // 2 // BLOCK_SAMPLES * BLOCK_SAMPLES
    started = time.thread_time()
    timed = follow(begin, middle)
    ms = 1e3 * (time.thread_time() - started) / timed
    frontier: Any = engine._frontier
    belief = frontier._belief if isinstance(frontier._belief, TwoLevelPosterior) else None
    begin = engine._next_sample
    calls = calls_of(lambda: follow(begin, len(sound)))
    hops = (len(sound) - begin) // BLOCK_SAMPLES
    return calls / hops, float(belief.active_frames) if belief is not None else float("nan"), ms


def count_path() -> tuple[float, float]:
    """Rows of costs asked for per row of a dense-sparse path, and its time (ms)."""
    from follower.kernels import dense_sparse_offline
    from offline_prep.notebook.subsequence import dense_sparse_path

    dense_sparse_offline.warmup()
    gaps = np.array([1, 1, 1, 1, 1, 3] * 150, dtype=np.int64)
    C = np.random.default_rng(7).uniform(size=(len(gaps), 1500)).astype(np.float32)
    asked = 0

    def cost(start: int, stop: int) -> Any:
        nonlocal asked
        asked += stop - start
        return C[start:stop]

    begin = time.thread_time()
    dense_sparse_path(cost, C.shape, gaps)
    return asked / len(gaps), 1e3 * (time.thread_time() - begin)


def modules_of(code: str) -> int:
    """Modules a new Python has after running `code`, less those it has without."""

    def loaded(text: str) -> int:
        text = f"import sys\n{text}\nprint(len(sys.modules), file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        return int(done.stderr.split()[-1])

    return loaded(code) - loaded("")


def message_bytes() -> int:
    """Length of a position as it is sent over WebSocket."""
    from follower.events import Position, State
    from follower.protocol.codec import encode
    from follower.protocol.conversion import message_of

    position = Position(
        seq=12345, audio_sample=5_000_000, sample_rate_hz=22050, orchestra_time_s=226.75731, mix_time_s=231.0021,
        rate=1.0173, confidence=0.973, state=State.FOLLOWING, capture_time_s=5014.30212, latency_ms=4.218,
    )  # fmt: skip
    return len(encode(message_of(position)))


def measure() -> tuple[dict[str, float], dict[str, float]]:
    """Counts of work and processor times, both by name."""
    work: dict[str, float] = {}
    times: dict[str, float] = {}
    for method in ("tempo", "dense-sparse"):
        calls, active, ms = count_hops(method, PIECE_S)
        work[f"calls per hop, {method}"] = round(calls, 1)
        times[f"hop, {method}"] = round(ms, 3)
        if active == active:
            work["frames of the mix weighed per hop, 40 s"] = active
    _, active, _ = count_hops("tempo", LONG_PIECE_S)
    work["frames of the mix weighed per hop, 120 s"] = active
    asked, ms = count_path()
    work["rows of costs per row of a path"] = round(asked, 3)
    times["path of 900 x 1500"] = round(ms, 3)
    work["modules loaded by import follower"] = modules_of("import follower")
    work["modules loaded by follower --help"] = modules_of(
        "import contextlib, io\nfrom follower.__main__ import main\nsys.argv = ['follower', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()"
    )
    work["bytes of a position message"] = message_bytes()
    return work, times


def history() -> list[Entry]:
    """What was recorded, oldest first."""
    return [Entry(**entry) for entry in json.loads(HISTORY.read_text(encoding="utf-8"))] if HISTORY.exists() else []


def grown(work: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """Say which counts have grown by more than they may, and which are not counted any more."""
    more = [
        f"{name}: {before[name]:g} -> {work[name]:g}"
        for name in before
        if name in work and work[name] > before[name] * ALLOWED.get(name, 1.0) + 1e-9
    ]
    return [*more, *(f"{name}: not counted any more" for name in before if name not in work)]


def rows(work: Mapping[str, float], times: Mapping[str, float], last: Entry | None) -> list[dict[str, Any]]:
    """A table: what, now, at the last release, the ratio."""
    before = {} if last is None else {**last.work, **last.times_ms}
    return [
        {"what": f"{name}{'' if name in work else ' (ms)'}", "now": value, "then": before.get(name, ""),
         "ratio": round(value / before[name], 3) if before.get(name) else ""}
        for name, value in {**work, **times}.items()
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", metavar="VERSION", help="keep it as that of a version")
    parser.add_argument("--check", action="store_true", help="end with 1 where a count has grown")
    args = parser.parse_args()
    work, times = measure()
    entries = history()
    last = entries[-1] if entries else None
    print(f"last release recorded: {last.version if last else 'none'}")
    print_rows(rows(work, times, last))
    if args.record:
        date = datetime.now(UTC).date().isoformat()
        kept = [entry for entry in entries if entry.version != args.record]
        kept.append(Entry(args.record, _commit(), _machine(), date, work, times))
        text = json.dumps([vars(entry) for entry in kept], indent=1)
        HISTORY.parent.mkdir(exist_ok=True)
        HISTORY.write_text(text + "\n", encoding="utf-8")
    if args.check and last is not None and (more := grown(work, last.work)):
        print("error: more work than at the last release: " + "; ".join(more), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
