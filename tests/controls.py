"""A queue of commands whose arrival a test can wait for."""

from __future__ import annotations

import threading

from follower.session.controls import Control, ControlQueue


class ArrivalQueue(ControlQueue):
    """Counts what arrives.

    Attributes:
        arrived: released once for every command.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)

    def put(self, control: Control) -> None:
        super().put(control)
        self.arrived.release()
