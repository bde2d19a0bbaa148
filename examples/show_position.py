"""Show where the orchestra is, ten times a second, from any machine that reaches the follower.

    follower live CACHE --ws 8765
    python examples/show_position.py ws://127.0.0.1:8765/ws

Give a second argument to end after that many positions.
"""

from __future__ import annotations

import sys
import time

from follower.websocket.client import FollowerClient


def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/ws"
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else None
    shown = 0
    with FollowerClient(url) as follower:
        while lines is None or shown < lines:
            position_s = follower.orchestra_time_s()
            position = follower.position
            if position_s is not None and position is not None:
                print(f"{position_s:8.2f} s  rate {position.rate:.2f}  {position.state}", flush=True)
                shown += 1
            time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
