"""Environments of their own for other people's followers, made where they are missing."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.evaluation.peer_followers import Peer
from follower.errors import MissingDependencyError

INSTALL_TIMEOUT_S = 1800.0


def environment(peer: Peer, folder: Path) -> str:
    """Make a peer's environment, unless it is there, and return its Python.

    Args:
        peer: what to install.
        folder: holds an environment for each package.

    Raises:
        MissingDependencyError: the package cannot be had; the message says why.
    """
    home = folder / peer.package
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        print(f"making an environment for {peer.package} in {home}", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True)
    if not _has(str(python), peer.module):
        for words in peer.installs:
            _install(str(python), words, peer)
    require(str(python), peer)
    return str(python)


def require(python: str, peer: Peer) -> None:
    """Say what to install where a peer is missing.

    Raises:
        MissingDependencyError: it is.
    """
    try:
        there = _has(python, peer.module)
    except OSError as e:
        raise MissingDependencyError(f"cannot run {python} ({e.strerror}); give --peer-python another one") from e
    if not there:
        raise MissingDependencyError(
            f"{peer.package} is not installed for {python}; make it an environment of its own (python3 -m venv peers; "
            f"peers/bin/pip install {peer.package}) and give --peer-python peers/bin/python"
        )


def _has(python: str, module: str) -> bool:
    looks = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", looks], check=False).returncode == 0


def _install(python: str, words: tuple[str, ...], peer: Peer) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired as e:
        raise MissingDependencyError(f"{peer.package} was not installed within {INSTALL_TIMEOUT_S:.0f} s") from e
    if done.returncode:
        why = [line for line in done.stderr.strip().splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise MissingDependencyError(f"{peer.package} cannot be installed: {why[-1].removeprefix('ERROR: ')}")
