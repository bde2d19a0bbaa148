"""Imports point down only. What a room may import stands in its package's docstring, as a line `May import: ...`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

GROUND = {
    "errors": frozenset[str](),
    "version": frozenset[str](),
    "events": frozenset[str](),
    "config": frozenset({"errors"}),
    "kernels": frozenset[str](),
    "engine": frozenset({"errors", "config", "events", "protocol", "signal", "piece", "inference", "tracking"}),
    "cli": frozenset({"errors", "version", "commands", "process"}),
    "process": frozenset({"errors"}),
    "terminal": frozenset[str](),
    "cluster": frozenset({"errors"}),
}
"""Modules of `follower` that are no room, and the kernels; what each may import."""
FACES = {"__init__", "__main__", "client", "testing"}
"""They only hand on names of the rooms, for users of the package."""
ROOMS = sorted(p.parent for p in (REPOSITORY / "follower").glob("*/__init__.py"))
FILES = sorted((REPOSITORY / "follower").rglob("*.py"))
PREP_FILES = sorted((REPOSITORY / "offline_prep").rglob("*.py"))
HEAVY = (
    "librosa", "sklearn", "sounddevice", "pythonosc", "websockets", "matplotlib", "offline_prep",
    "distributed",
)  # fmt: skip
"""Never loaded by `import follower`, and imported inside functions or by the one file that wraps them."""
NUMERIC = ("numba", "scipy", "soxr", "soundfile")
"""Loaded by what computes, not by what only reads or listens."""


def allowed_of(package: Path) -> frozenset[str]:
    """The names after `May import:` in a package's docstring."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert "May import:" in docstring, f"{package.name}'s docstring does not say what the room may import"
    sentence = docstring.partition("May import:")[2].partition(".")[0]
    return frozenset(name.strip() for name in sentence.split(","))


RULES = GROUND | {room.name: allowed_of(room) for room in ROOMS if room.name != "kernels"}
EVERYTHING = "every other room"


def room_of(module: str) -> str | None:
    """`follower.signal.features` -> signal; None outside the two packages and for their faces."""
    parts = module.split(".")
    if parts[0] == "offline_prep":
        return "offline_prep"
    if parts[0] != "follower" or len(parts) < 2 or parts[1] in FACES:
        return None
    return parts[1]


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, inside functions too: a late import is still an arrow."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import; write the whole name"
            yield node.module or ""
            # `from follower import kernels` imports follower.kernels.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def test_every_module_has_a_rule() -> None:
    modules = {p.stem for p in (REPOSITORY / "follower").glob("*.py")} - FACES
    assert modules <= set(RULES), "a new module: say in GROUND what it may import"


def test_the_rules_have_no_cycle() -> None:
    """A room that may import another is above it; so nothing may import itself by way of others."""

    def above(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f"a cycle: {' -> '.join((*seen, name))}"
        for below in RULES.get(name, frozenset()) - {EVERYTHING, "offline_prep"}:
            above(below, (*seen, name))

    for name in RULES:
        above(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_room_imports_what_its_docstring_allows(path: Path) -> None:
    own = room_of(module_name(path))
    if own is None:
        return
    allowed = RULES[own]
    found = {room for m in imports(path) if (room := room_of(m)) is not None and room in {*RULES, "offline_prep"}}
    if EVERYTHING in allowed:
        allowed = allowed | frozenset(RULES) - {"cli"}
    assert found - {own} <= allowed, f"{path.relative_to(REPOSITORY)} may not import {sorted(found - {own} - allowed)}"


@pytest.mark.parametrize("package", ["alignment", "notebook", "separation"])
def test_the_rooms_of_prep_import_what_their_docstrings_allow(package: str) -> None:
    allowed = allowed_of(REPOSITORY / "offline_prep" / package)
    for path in PREP_FILES:
        if package in path.parts:
            found = {m for m in imports(path) if m.startswith(("follower.", "offline_prep."))}
            rooms = {m.split(".")[1] for m in found} - {package}
            assert rooms <= allowed, f"{path.name} may not import {sorted(rooms - allowed)}"


def test_prep_knows_nothing_of_live_sessions() -> None:
    allowed = {
        "errors", "version", "config", "kernels", "signal", "piece", "inference", "files", "cli", "terminal", "cluster",
    }  # fmt: skip
    for path in PREP_FILES:
        found = {room for m in imports(path) if (room := room_of(m)) in RULES}
        assert found <= allowed, f"{path.name} may not import {sorted(map(str, found - allowed))}"


def test_no_file_is_in_a_circle_of_imports() -> None:
    names = {module_name(p).removesuffix(".__init__"): p for p in (*FILES, *PREP_FILES)}
    arrows = {n: {m for m in imports(p) if m in names and m != n} for n, p in names.items() if "commands" not in n}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name in done:
            return
        for other in arrows.get(name, ()):
            visit(other, (*trail, name))
        done.add(name)

    for name in arrows:
        visit(name, ())


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that a new Python has after running `code`."""
    code = f"import sys; {code}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["follower", "follower.cli", "follower.engine", "follower.evaluation.behaviour"])
def test_imports_are_light(module: str) -> None:
    assert not loaded_by(f"import {module}") & set(HEAVY)


def test_the_package_itself_loads_nothing() -> None:
    assert not loaded_by("import follower") & {*HEAVY, *NUMERIC, "numpy"}


def test_a_listener_loads_no_numerics() -> None:
    loaded = loaded_by("from follower.client import FollowerClient; from follower import Position, State")
    assert not loaded & ({*HEAVY, *NUMERIC, "numpy"} - {"websockets"})


def test_reading_a_cache_loads_numpy_only() -> None:
    loaded = loaded_by("from follower import load_piece, Piece, MixMap")
    assert "numpy" in loaded and not loaded & {*HEAVY, *NUMERIC}


def test_following_never_loads_the_baseline() -> None:
    """librosa and scikit-learn are prep's and the research notebook's; a live session must not wait for them."""
    loaded = loaded_by(
        "import numpy as np; from follower import AudioBlock, Engine, MixMap; "
        "from follower.testing import assemble_piece; "
        "engine = Engine(assemble_piece(MixMap([0, 9], [0, 9], [1, 1])), 22050); "
        "engine.process(AudioBlock(0, np.zeros(22050, np.float32))); engine.finish()"
    )
    assert "numba" in loaded and not loaded & set(HEAVY)


def test_every_public_name_is_there() -> None:
    code = "import follower; assert all(getattr(follower, n) for n in follower.__all__)"
    loaded_by(f"{code}; assert set(follower.__all__) <= set(dir(follower)); from follower import *; Engine")
