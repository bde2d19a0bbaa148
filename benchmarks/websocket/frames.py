"""How smoothly the practice room's page draws on one core that it shares with server, engine and orchestra.

    python -m benchmarks.websocket.frames [--seconds N] [--record]

`follower serve` with one process of engines, and a headless Chromium without a graphics processor, all on the same
core; the browser's fake microphone plays a piece of four minutes that is followed, and the orchestra sounds in the
page. Frames are counted as the browser gives them (60 a second at most), for so many seconds on each screen. Script is
the main thread's time for one frame's drawing; processor times are those of the browser and of the follower by the
system's count, as shares of the core. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import soxr

from benchmarks.results import Row, add_option, print_rows, record
from benchmarks.websocket.served import serving
from benchmarks.websocket.session_cost import cpu_s
from follower.testing import SOUND_RATE_HZ, make_sound
from tests.browser import Page
from tests.websocket.practice_pieces import put_piece
from tests.websocket.test_page import AT, sit_down

PIECE_S: Final = 240.0
SCREENS: Final = {
    "phone, 390 x 844": (390, 844, 2),
    "laptop, 1280 x 800": (1280, 800, 1),
    "full HD, 1920 x 1080": (1920, 1080, 1),
    "4K, 3840 x 2160": (3840, 2160, 1),
}
"""Width, height (CSS pixels), and pixels of the screen for each."""
LATE: Final = 1.5
"""Of a frame's time: an interval longer than that has left one out."""
REFRESH_HZ: Final = 60.0
FRAMES: Final = """
new Promise((done) => {
  const ask = window.requestAnimationFrame.bind(window);
  const at = [], costs = [];
  // The page asks for its next frame through this; what it does in one is timed.
  window.requestAnimationFrame = (draw) => ask((now) => {
    const begun = performance.now();
    draw(now);
    costs.push(performance.now() - begun);
    at.push(begun);
    if (begun - at[0] < %d) return;
    window.requestAnimationFrame = ask;
    done({ at, costs });
  });
})
"""


def measure(page: Page, server: int, browser: int, screen: str, seconds: float) -> Row:
    """A row for one screen."""
    width, height, ratio = SCREENS[screen]
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=False)
    page.wait_until("true")
    # The page draws only in its room: what the browser does otherwise (sound in, sound out) is measured without.
    page.value("document.body.dataset.view = 'none'")
    begun_s, begun = time.monotonic(), cpu_s(browser)
    page.value(f"new Promise((done) => setTimeout(done, {1000 * seconds}))")
    rest = (cpu_s(browser) - begun) / (time.monotonic() - begun_s)
    page.value("document.body.dataset.view = 'room'")
    before = cpu_s(server), cpu_s(browser)
    found = page.value(FRAMES % (1000 * seconds))
    after = cpu_s(server), cpu_s(browser)
    at_ms, script_ms = np.array(found["at"]), np.array(found["costs"])
    span_s, intervals_ms = (at_ms[-1] - at_ms[0]) / 1e3, np.diff(at_ms)
    return {
        "screen": screen,
        "frames_per_s": round(len(intervals_ms) / span_s, 1),
        "interval_p50_ms": round(float(np.median(intervals_ms)), 1),
        "interval_p99_ms": round(float(np.percentile(intervals_ms, 99)), 1),
        "frames_left_out_pct": round(100 * float(np.mean(intervals_ms > 1e3 * LATE / REFRESH_HZ)), 1),
        "script_p50_ms": round(float(np.median(script_ms)), 2),
        "script_p99_ms": round(float(np.percentile(script_ms, 99)), 2),
        "cpu_ms_per_frame": round(1e3 * max(after[1] - before[1] - rest * span_s, 0.0) / len(intervals_ms), 1),
        "browser_pct": round(100 * (after[1] - before[1]) / span_s),
        "browser_without_pct": round(100 * rest),
        "follower_pct": round(100 * (after[0] - before[0]) / span_s),
    }


def frames(seconds: float, folder: Path) -> list[Row]:
    """A row for each screen."""
    put_piece(folder / "caches", "etude", PIECE_S)
    sound = soxr.resample(make_sound(PIECE_S), SOUND_RATE_HZ, 48000)
    soundfile.write(folder / "p.wav", np.concatenate([np.zeros(2 * 48000), sound]), 48000, "PCM_16")
    microphone = f"--use-file-for-fake-audio-capture={folder / 'p.wav'}%noloop"
    with (
        serving(folder / "caches", "--workers", "1") as server,
        Page(f"http://127.0.0.1:{server.port}/", folder, microphone, wait_s=PIECE_S) as page,
    ):
        sit_down(page, "etude")
        page.wait_until(f"document.getElementById('state').textContent === 'Following you' && {AT} > 2.0")
        page.wait_until("document.getElementById('listen').checked")
        rows: list[Any] = []
        for screen in SCREENS:
            rows.append(measure(page, server.pids[0], page.pid, screen, seconds))
            print_rows(rows[-1:])
        return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=15.0, metavar="N", help="on each screen (default: %(default)g)"
    )
    add_option(parser)
    args = parser.parse_args()
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # what is started from here on is there, too
    with tempfile.TemporaryDirectory(prefix="frames-") as scratch:
        rows = frames(args.seconds, Path(scratch))
    if args.record:
        record("frames", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
