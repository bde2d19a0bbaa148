"""The receiver of `follower.evaluation.latency.receiver`, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from follower.errors import OutputError


class ReceiverProcess:
    """`follower.evaluation.latency.receiver` in a process of its own.

    Args:
        ws_port: the WebSocket server to listen to.
    """

    def __init__(self, ws_port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "follower.evaluation.latency.receiver", str(ws_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.osc_port = int(self._line()["osc_port"])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OutputError("the receiving process ended early; its message is above")
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def finish(self) -> dict[str, Sequence[Sequence[float]]]:
        """End the process and return what arrived when."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        arrivals = self._line()
        self._process.stdout.close()
        self._process.wait()
        return arrivals
