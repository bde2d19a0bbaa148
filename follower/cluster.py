"""Work for many processes or computers, through Dask distributed (the extra `cluster`), loaded when it is used.

Dask sends functions and results as pickles: a scheduler must be one's own, and reached by nobody else.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from follower.errors import ConfigError, FollowerError, MissingDependencyError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")

RETRIES: Final = 2
"""A task that fails for a reason of its machine (memory, a disk) is tried again so often, if possible elsewhere."""
CONNECT_WITHIN_S: Final = 20.0


@dataclass(frozen=True)
class Finished(Generic[T]):
    """One task that is over.

    Attributes:
        name: of the task.
        result: what it returned; None where it failed.
        failure: why it failed, one line; "" where it did not.
    """

    name: str
    result: T | None
    failure: str


class Cluster:
    """Runs named tasks on the workers of a scheduler.

    Args:
        client: connected to the scheduler.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def dashboard(self) -> str:
        """Address of the scheduler's page, where the work is watched."""
        return str(self._client.dashboard_link)

    def run(
        self,
        work: Callable[..., T],
        tasks: Mapping[str, Sequence[Any]],
        after: Mapping[str, str] | None = None,
        first: tuple[Callable[..., object], Mapping[str, Sequence[Any]]] | None = None,
    ) -> Iterator[Finished[T]]:
        """Run `work` for every task and give each as it is over, in any order.

        An expected error (`FollowerError`) ends its task; any other one, or a lost worker, lets it be tried again.

        Args:
            work: called as work(*arguments), in a worker; a function that a worker can import.
            tasks: arguments by name.
            after: by name of a task, the name of what has to be done first; None: nothing has.
            first: what that is: a function and its arguments by name. Where it fails, so do the tasks after it.

        Yields:
            One `Finished` for each task.
        """
        from distributed import as_completed

        before = {} if first is None else {name: self._submit(first[0], words) for name, words in first[1].items()}
        names: dict[Future, str] = {}
        for name, words in tasks.items():
            waits_for = before[after[name]] if after is not None else None
            names[self._submit(work, words, waits_for)] = name
        try:
            for future in as_completed(list(names), loop=self._client.loop):
                yield _finished(names[future], future)
        finally:
            self._client.cancel([*names, *before.values()])

    def _submit(self, work: Callable[..., object], words: Sequence[Any], waits_for: Future | None = None) -> Future:
        return self._client.submit(_carry_out, work, tuple(words), waits_for, pure=False, retries=RETRIES)


@contextlib.contextmanager
def cluster(scheduler: str | None, workers: int) -> Iterator[Cluster]:
    """Connect to a scheduler, or start one on this computer.

    Args:
        scheduler: address, for example tcp://10.0.0.5:8786; None starts one here, reached from this computer only.
        workers: processes, where it is started here.

    Raises:
        MissingDependencyError: Dask distributed is not installed.
        ConfigError: no scheduler answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as e:
        raise MissingDependencyError(
            "many recordings at once need Dask: pip install 'concerto-follower[cluster]'"
        ) from e
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            address: Any = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.ERROR,
                )
            )
        else:
            address = scheduler
        try:
            client = stack.enter_context(Client(address, timeout=CONNECT_WITHIN_S, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as e:
            raise ConfigError(f"no scheduler answers at {scheduler} ({e}); start one with: dask scheduler") from e
        yield Cluster(client)


def default_workers() -> int:
    """One process for each core of this computer that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class _Refused:
    """An expected error on its way back: no reason to try again."""

    message: str


def _carry_out(work: Callable[..., object], words: tuple[Any, ...], before: object) -> object:
    """Call, in a worker. On one thread: the last digits of a matrix product depend on how many share it."""
    import numpy  # noqa: F401  (its libraries must be loaded to be limited)
    from threadpoolctl import threadpool_limits

    if isinstance(before, _Refused):
        return before
    try:
        with threadpool_limits(1):
            return work(*words)
    except FollowerError as e:
        return _Refused(" ".join(str(e).split()))


def _finished(name: str, future: Future) -> Finished[Any]:
    try:
        result = future.result()
    except Exception as e:
        return Finished(name, None, f"failed {RETRIES + 1} times: {type(e).__name__}: {' '.join(str(e).split())[:300]}")
    return Finished(name, None, result.message) if isinstance(result, _Refused) else Finished(name, result, "")
