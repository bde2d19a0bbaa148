"""What is compiled before a stream opens is all that following needs, and no more than a method says."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from follower import kernels
from follower.inference.methods import METHODS
from follower.piece.writing import write_piece
from follower.testing import make_piece
from tests.paths import REPOSITORY

FOLLOW = """
import importlib, pkgutil, sys
from follower import kernels
from follower.engine import Engine
from follower.events import AudioBlock
from follower.piece.reading import load_piece
from follower.testing import make_sound

def compiled():
    found = {}
    for module in pkgutil.iter_modules(kernels.__path__):
        content = importlib.import_module(f"follower.kernels.{module.name}")
        found |= {(module.name, n): len(f.signatures) for n, f in vars(content).items() if hasattr(f, "signatures")}
    return found

kernels.warmup(kernels.FOLLOWING["METHOD"])
before = compiled()
engine = Engine(load_piece(sys.argv[1]), 22050, "METHOD")
sound = make_sound(6.0)
for at in range(0, len(sound), 5000):
    engine.process(AudioBlock(at, sound[at : at + 5000]))
engine.finish()
after = compiled()
print({name: n for name, n in after.items() if n != before[name]})
"""


def test_every_method_says_what_it_needs() -> None:
    modules = {module.name for module in pkgutil.iter_modules(kernels.__path__)}
    assert set(kernels.FOLLOWING) == set(METHODS)
    assert {name for names in kernels.FOLLOWING.values() for name in names} | set(kernels.PLAYING) <= modules


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_compiled_while_following(method: str, tmp_path: Path) -> None:
    """With a prepared piece as it is read: read-only arrays are types of their own to numba."""
    write_piece(replace(make_piece(6.0), path=tmp_path / "piece"))
    code = FOLLOW.replace("METHOD", method)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "piece")],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert (done.stdout.strip(), done.stderr) == ("{}", "")
