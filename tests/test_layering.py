from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("errors",),
    ("config", "events", "kernels", "address", "extrapolation"),
    ("features", "mix_map", "classifier", "cache", "bleed", "confidence"),
    ("frontier", "tracker", "engine"),
    ("sources", "sinks", "playback", "client", "controls", "osc_control", "plugins", "server"),
    ("runner", "server.audio_sessions"),
    ("evaluation", "demo", "commands"),
    ("cli",),
)
"""Design section 1. A module imports only from its own layer and those before it."""
HEAVY = ("librosa", "sklearn", "sounddevice", "pythonosc", "websockets", "matplotlib", "pylibrb", "offline_prep")
"""Never loaded by `import follower`, and imported inside functions or by the one file that wraps them."""


def _layer(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != "follower" or len(parts) < 2 or parts[1] == "__main__":
        return None
    by_name = {name: i for i, names in enumerate(LAYERS) for name in names}
    return by_name.get(".".join(parts[1:3]), by_name[parts[1]])


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports_at_load(path: Path) -> Iterator[str]:
    """Modules a file imports when it is loaded: not inside functions, not for type checking only."""

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} has a relative import; write the whole name"
                module = child.module or ""
                yield module
                # `from follower import kernels` imports follower.kernels.
                yield from (f"{module}.{alias.name}" for alias in child.names if module == "follower")
            yield from walk(child)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")))


def test_every_module_has_a_layer() -> None:
    modules = {p.stem for p in (ROOT / "follower").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert modules - {"__init__", "__main__"} == {name.partition(".")[0] for names in LAYERS for name in names}


FILES = sorted((ROOT / "follower").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_only(path: Path) -> None:
    own = _layer(_module_name(path))
    if own is None:
        return
    too_high = [m for m in _imports_at_load(path) if (layer := _layer(m)) is not None and layer > own]
    assert not too_high, f"{path.relative_to(ROOT)} imports {too_high} from a layer above its own"


def test_follower_never_imports_offline_prep_at_load() -> None:
    guilty = [str(p.relative_to(ROOT)) for p in FILES if any(m.startswith("offline_prep") for m in _imports_at_load(p))]
    assert guilty == []


def test_only_evaluation_commands_and_demo_know_offline_prep_at_all() -> None:
    allowed = ("evaluation", "commands", "demo")
    guilty = []
    for path in FILES:
        named = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("offline_prep"))
            or (isinstance(node, ast.Import) and any(a.name.startswith("offline_prep") for a in node.names))
        ]
        if named and path.relative_to(ROOT).parts[1] not in allowed:
            guilty.append(str(path.relative_to(ROOT)))
    assert guilty == []


@pytest.mark.parametrize("module", ["follower", "follower.cli", "follower.engine", "follower.evaluation.metrics"])
def test_imports_are_light(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_whole_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys; from follower.cli import build_parser; build_parser(); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
