#!/usr/bin/env python3
"""Set up and run, on a machine that has only Python 3.11 or newer.

python3 dev.py demo     make .venv where there is none, install, run the demo (prep, follow, table, plot)
python3 dev.py check    the same with the development tools, then every check: ruff, mypy --strict, the documents'
                        tables, eslint and tsc on the page's scripts (where node is), every test with its coverage
python3 dev.py matrix   the tests under the oldest and the newest Python that is found, with the oldest and the newest
                        versions of what we depend on; `--all` every Python, `--quick` a selection of the tests
python3 dev.py sbom     what a release brings with it, by CycloneDX: dist/concerto-follower-VERSION.cdx.json
python3 dev.py audit    the same packages against the known vulnerabilities (pip-audit; needs pypi.org or api.osv.dev)
python3 dev.py readme   the shell lines of README.md as printed, in a fresh clone; those that need hardware are left out
python3 dev.py elsewhere  readme and `matrix --quick`, side by side: what must hold in other places than this folder
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("CONCERTO_FOLLOWER_VENV", ROOT / ".venv"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
DEV = "[dev]"
EXTRAS = {"demo": "", "check": DEV, "matrix": DEV, "elsewhere": DEV, "sbom": "[release]", "audit": "[release]"}
"""What is installed first; `readme` installs where it runs."""
PYTHONS = ("3.11", "3.12", "3.13")
QUICK = (
    "tests/test_testing.py", "tests/test_config.py", "tests/piece", "tests/files", "tests/osc", "tests/session",
    "tests/protocol", "tests/signal/test_features.py", "tests/kernels",
)  # fmt: skip
"""Tests that use every library we depend on and are quick."""
COMPILE = """
from follower.kernels import warmup
from offline_prep.notebook.librosa_loader import load_librosa
load_librosa()
warmup()
"""
"""Fills numba's caches on disk: otherwise several of the tests' processes compile the same functions at once."""
NEEDS = "# needs "
"""A shell line of README.md with this remark wants hardware."""


def run(*command: str, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command in the project's folder; end with its exit code when it fails.

    What a command of `side_by_side` prints is printed when it has ended, so that two do not print into each other.
    """
    line = " ".join(command)
    print("+", line, flush=True)
    begin_s = time.monotonic()
    with contextlib.ExitStack() as stack:
        said = None
        if threading.current_thread() is not threading.main_thread():
            # No pipe: something the command has left running would hold it open.
            said = stack.enter_context(tempfile.TemporaryFile())
        done = subprocess.run(
            command, cwd=cwd, env=os.environ | environment, check=False, stdout=said, stderr=said and subprocess.STDOUT
        )
        seconds = f"  ({time.monotonic() - begin_s:.0f} s)\n"
        if said is not None:
            said.seek(0)
            seconds = f"= {line}\n{said.read().decode(errors='replace')}{seconds}"
        sys.stdout.write(seconds)
        sys.stdout.flush()
    if done.returncode:
        sys.exit(done.returncode)


def side_by_side(*jobs: Callable[[], None]) -> None:
    """Run jobs that keep one core busy each, two at a time; when all have ended, end with the first that failed."""
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result()


def install(extra: str) -> None:
    """Make the virtual environment and install the project into it, unless that was done for this pyproject.toml."""
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        print(f"making a virtual environment in {VENV}", flush=True)
        venv.create(VENV, with_pip=True)
    stamp = VENV / f"installed{extra or '[]'}"
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    pip = (str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    if extra:  # the tools have uv among them, which takes a fifth of pip's time for the rest
        run(*pip, "uv>=0.5")
        run(str(BIN / "uv"), "pip", "install", "--quiet", "--python", str(BIN / "python"), "-e", f".{extra}")
    else:
        run(*pip, "-e", ".")
    stamp.write_text(digest)


def check() -> None:
    """Run every check."""
    side_by_side(check_sources, check_plain)
    check_tests()


def check_sources() -> None:
    """Check what can be checked without running it, cheapest first."""
    python = str(BIN / "python")
    run(python, "-m", "ruff", "check", ".")
    run(python, "-m", "ruff", "format", "--check", ".")
    run(python, "-m", "mypy")
    run(python, "-m", "benchmarks.report", "--check")
    check_page()


PYTEST = (str(BIN / "python"), "-m", "pytest", "-q", "--cov", "--cov-report=", "--cov-fail-under=0")


def check_plain() -> None:
    """Compile what the tests use; run the kernels' tests as plain Python: compiled they must do what Python does."""
    run(str(BIN / "python"), "-c", COMPILE)
    run(*PYTEST, "-m", "plain", "-p", "no:xdist", *files_with("plain"), NUMBA_DISABLE_JIT="1")


def check_tests() -> None:
    """Run the tests; their coverage and that of `check_plain` together must reach the bound of pyproject.toml."""
    run(
        *PYTEST, "--cov-append", "-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile", "--durations=30",
        "--doctest-modules", "-m", "not alone", "tests", "follower", "offline_prep", "benchmarks",
    )  # fmt: skip
    # What is heard in real time is measured beside nothing else, or the other tests would be heard in it. Only now has
    # every line had its chance, so only here is the coverage bound held.
    run(*PYTEST[:-2], "--cov-append", "-m", "alone", "-p", "no:xdist", *files_with("alone"))


def files_with(mark: str) -> list[str]:
    """The files whose tests have a mark: importing all the others takes longer than many of those tests."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(p.relative_to(ROOT)) for p in paths if f"mark.{mark}" in p.read_text(encoding="utf-8")]


def check_page() -> None:
    """Lint the page's scripts and check their types, where node is installed; its packages are locked."""
    npm = shutil.which("npm")
    if npm is None:
        print("NOT CHECKED: the page's scripts need node and npm (Debian: nodejs npm) to be linted and type-checked")
        return
    lock = ROOT / "package-lock.json"
    stamp = ROOT / "node_modules" / ".installed"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        run(npm, "ci", "--no-audit", "--no-fund", "--silent")
        stamp.write_text(digest)
    run(npm, "run", "--silent", "lint")
    run(npm, "run", "--silent", "types")


def find_pythons() -> dict[str, str]:
    """The Pythons we support that are on PATH or were built by pyenv: program by version, oldest first."""
    found = {}
    for version in PYTHONS:
        built = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        program = str(built[-1]) if built else shutil.which(f"python{version}")
        if program is not None:
            found[version] = program
    return found


@contextlib.contextmanager
def matrix_jobs(options: Sequence[str]) -> Iterator[list[Callable[[], None]]]:
    """Make environments of several Pythons with the oldest and with the newest dependencies; jobs that run the tests.

    The oldest versions that pyproject.toml allows are tried with the oldest Python only: newer Pythons need newer ones.
    """
    pythons = find_pythons()
    if len(pythons) < 2:
        sys.exit(f"found {', '.join(pythons) or 'none'} of Python {', '.join(PYTHONS)}: two or more are needed")
    oldest, *others = pythons
    newest = others if "--all" in options else others[-1:]
    runs = [(oldest, "lowest-direct"), *((v, "highest") for v in ([oldest, *newest] if "--all" in options else newest))]
    tests = QUICK if "--quick" in options else ("tests",)
    with contextlib.ExitStack() as stack:
        jobs: list[Callable[[], None]] = []
        for version, resolution in runs:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"matrix-{version}-"))
            python = str(Path(scratch) / BIN.name / "python")
            uv = str(BIN / "uv")
            run(uv, "venv", "--quiet", "--python", pythons[version], scratch, "--allow-existing")
            run(uv, "pip", "install", "--quiet", "--python", python, "--resolution", resolution, "-e", ".[live,test]")
            # Deprecations of versions newer than those we develop with are no failures here.
            pytest = (python, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-W", "default", *tests)
            jobs.append(functools.partial(run, *pytest, NUMBA_CACHE_DIR=f"{scratch}/numba", TMPDIR=scratch))
        yield jobs


def matrix(options: Sequence[str]) -> None:
    """Run the tests under several Pythons, in one process each: two would compile the same functions twice."""
    with matrix_jobs(options) as jobs:
        side_by_side(*jobs)


def elsewhere() -> None:
    """Run README.md's lines in a fresh clone, and a selection of the tests under other Pythons."""
    with matrix_jobs(["--quick"]) as jobs:
        side_by_side(readme, *jobs)


@contextlib.contextmanager
def released() -> Iterator[Path]:
    """An environment as a user has it: the project, not editable, with live audio, nothing that develops or tests."""
    with tempfile.TemporaryDirectory(prefix="released-") as scratch:
        python = Path(scratch) / BIN.name / "python"
        run(str(BIN / "uv"), "venv", "--quiet", scratch, "--allow-existing")
        run(str(BIN / "uv"), "pip", "install", "--quiet", "--python", str(python), ".[live]")
        yield python


def sbom() -> None:
    """Write the bill of materials of what a release brings with it, the same bytes for the same versions."""
    import tomllib  # a Python that is too old for it is told so

    with (ROOT / "pyproject.toml").open("rb") as f:
        project = tomllib.load(f)["project"]
    (ROOT / "dist").mkdir(exist_ok=True)
    target = ROOT / "dist" / f"{project['name']}-{project['version']}.cdx.json"
    with released() as python:
        run(
            str(BIN / "cyclonedx-py"), "environment", str(python), "--pyproject", "pyproject.toml",
            "--output-reproducible", "--validate", "--of", "JSON", "-o", str(target),
        )  # fmt: skip


def audit() -> None:
    """Compare what a release brings with it with the known vulnerabilities.

    Strict: without it pip-audit finds no known vulnerabilities where it cannot ask for them.
    """
    with released() as python:
        listed = python.with_name("requirements.txt")
        command = [str(BIN / "uv"), "pip", "freeze", "--python", str(python)]
        frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        listed.write_text("".join(line for line in frozen.splitlines(keepends=True) if "==" in line))
        run(str(BIN / "pip-audit"), "--strict", "--no-deps", "--disable-pip", "-r", str(listed))


def readme_lines(text: str) -> list[str]:
    """The shell lines of README.md that need no hardware, without `dev.py check`."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [line for line in lines if NEEDS not in line and "dev.py check" not in line]


def readme() -> None:
    """Run the shell lines of README.md in a clone of the last commit, in one shell, as a newcomer would."""
    with tempfile.TemporaryDirectory(prefix="readme-") as scratch:
        clone = Path(scratch) / "clone"
        run("git", "clone", "--quiet", str(ROOT), str(clone))
        lines = readme_lines((clone / "README.md").read_text(encoding="utf-8"))
        environment = {
            "CONCERTO_FOLLOWER_VENV": str(clone / ".venv"), "XDG_CACHE_HOME": f"{scratch}/cache", "TMPDIR": scratch,
        }  # fmt: skip
        run("bash", "-euxc", "\n".join(lines), cwd=clone, **environment)


COMMANDS = {"check": check, "elsewhere": elsewhere, "readme": readme, "sbom": sbom, "audit": audit}


def main() -> None:
    """Run the command named on the command line."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs before anything checks the version)
        sys.exit(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed")
    if len(sys.argv) < 2 or sys.argv[1] not in {*EXTRAS, *COMMANDS}:
        sys.exit(__doc__)
    command, options = sys.argv[1], sys.argv[2:]
    if command in EXTRAS:
        install(EXTRAS[command])
    if command == "matrix":
        matrix(options)
    elif command in COMMANDS:
        COMMANDS[command]()
    else:
        run(str(BIN / "follower"), "demo", *options)


if __name__ == "__main__":
    main()
