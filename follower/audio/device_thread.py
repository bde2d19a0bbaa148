"""The one thread that opens, closes and lists audio devices: a sound server that hangs holds it, and nobody else.

PortAudio's functions return when the system's audio does, which may be never (a sound server that was stopped), and no
signal interrupts them. Whoever has them called here waits for as long as he wants to. There is one thread, since
PortAudio is made for one.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from follower.errors import DeviceError

T = TypeVar("T")

ANSWERS_WITHIN_S: Final = 20.0
"""Some systems look for devices for seconds."""
CLOSES_WITHIN_S: Final = 2.0
"""A device that is not closed after so long is left to the system, which takes it back when the program ends."""

_asked: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_thread: threading.Thread | None = None
_starting = threading.Lock()


def ask(function: Callable[[], T]) -> Future[T]:
    """Have a function called in that thread, after what was asked before; returns at once.

    >>> ask(lambda: 2 + 2).result()
    4
    """
    global _thread
    answer: Future[T] = Future()

    def call() -> None:
        try:
            answer.set_result(function())
        except BaseException as e:
            answer.set_exception(e)

    _asked.put(call)
    with _starting:
        if _thread is None:
            # A daemon: what hangs must not keep the program from ending.
            _thread = threading.Thread(target=_work, name="audio devices", daemon=True)
            _thread.start()
    return answer


def _work() -> None:
    while True:
        _asked.get()()


def in_time(function: Callable[[], T], undo: Callable[[T], object] = lambda _: None) -> T:
    """Return what a function gives.

    Args:
        function: asks for, or opens, a device.
        undo: closes what comes when nobody waits for it any more.

    Raises:
        DeviceError: no answer in time, or the function raises it.
    """
    answer = ask(function)
    try:
        return answer.result(ANSWERS_WITHIN_S)
    except TimeoutError as e:
        give_up(answer, undo)
        raise DeviceError(
            f"the system's audio has not answered for {ANSWERS_WITHIN_S:g} s; does the sound server hang? Restart it"
        ) from e
    except BaseException:  # a signal may end the waiting, too
        give_up(answer, undo)
        raise


def give_up(answer: Future[T], undo: Callable[[T], object]) -> None:
    """Wait no more: what is still opened is closed again, and the program ends without PortAudio's consent."""
    if not answer.done():
        _end_without_portaudio()

    def close_late(late: Future[T]) -> None:
        if late.exception() is None:
            undo(late.result())

    answer.add_done_callback(close_late)


def close(stream: Any) -> None:
    """Close a stream; one that does not let itself be closed in time is left behind."""
    answer = ask(stream.close)
    try:
        answer.result(CLOSES_WITHIN_S)
    except TimeoutError:
        _end_without_portaudio()


def _end_without_portaudio() -> None:
    """Keep sounddevice from waiting for PortAudio when the interpreter ends."""
    with contextlib.suppress(KeyError, AttributeError):
        atexit.unregister(sys.modules["sounddevice"]._exit_handler)
