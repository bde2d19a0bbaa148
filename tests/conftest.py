"""Fixtures of the whole suite: a short piece of our own and what prep makes of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from follower.demo.render import write_demo_scenario
from offline_prep.notebook.librosa_loader import load_librosa

# Test modules import librosa when they are collected, in several processes at once.
load_librosa()

# No time is asserted: an example that takes long says something about the machine.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# Under nohup a hang-up is ignored, and what the tests start would inherit that.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run the test; one that is marked `untraced` without the tracer that measures coverage."""
    if pyfuncitem.get_closest_marker("untraced") is None:
        return (yield)
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@pytest.fixture(scope="session")
def short_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario folder with the first 18 s of the demo (7 bars, the piano enters in bar 3). Do not write into it."""
    return write_demo_scenario(tmp_path_factory.mktemp("scenarios") / "short_demo", seconds=18)
