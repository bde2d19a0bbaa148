"""Everything a cache depends on besides its recordings: settings, constants, network weights and the code itself."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

import follower
import offline_prep
from follower.config import PrepConfig
from follower.piece.manifest import Setting
from offline_prep.alignment.config import AlignConfig
from offline_prep.orchestra_model import OrchestraModelConfig
from offline_prep.piano_activity import PianoActivityConfig
from offline_prep.separation.config import SeparationConfig

START: Final = "offline_prep.compute"
"""Whatever this module imports, and what that imports in turn, shapes a cache, except for:"""
SEPARATION: Final = "offline_prep.separation."
"""Modules of this room shape only a cache whose mix is taken apart: then they are found from here."""
SEPARATING: Final = "offline_prep.separation.separate"
NOT_SHAPING: Final = frozenset({
    "follower.config",  # its values are in the manifest
    "follower.errors",
    "follower.inference.piano_classifier",  # only its constant MFCC_USED is used, which counts where it is imported
    "follower.kernels.dense_sparse_offline",  # the notebook's alignments of a performance
    "follower.piece.gmm",
    "follower.piece.manifest",
    "follower.piece.piece",
    "offline_prep.notebook.librosa_loader",
    "offline_prep.notebook.subsequence",  # the notebook's alignments of a performance
    "offline_prep.progress",
    "offline_prep.settings",
})  # fmt: skip
WEIGHTS: Final = ("*.npz",)
"""Files beside the modules that hold network weights."""
DIGEST_DIGITS: Final = 16
_CONSTANT: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_ROOTS: Final = {p.__name__: Path(p.__path__[0]) for p in (follower, offline_prep)}


@dataclass(frozen=True)
class PrepSettings:
    """What a preparation depends on besides the recordings.

    Attributes:
        config: configuration of the features; the live engine needs it again.
        alignment: settings of the map between the recordings.
        orchestra_model: settings of the attacks that O does not explain and of the mixtures.
        piano_activity: what the piano activity rests on, and its weights.
        separation: settings of the parts the mix is taken apart into; None where it is not.
        keep_parts: whether the sound of the parts is kept in the cache; without, only what the live piano is compared
            with. Always where there is no orchestra recording.
    """

    config: PrepConfig = field(default_factory=PrepConfig)
    alignment: AlignConfig = field(default_factory=AlignConfig)
    orchestra_model: OrchestraModelConfig = field(default_factory=OrchestraModelConfig)
    piano_activity: PianoActivityConfig = field(default_factory=PianoActivityConfig)
    separation: SeparationConfig | None = None
    keep_parts: bool = True

    def recorded(self) -> dict[str, Setting]:
        """Return what the manifest keeps besides `config`, by dotted name.

        These are the fields of the other settings, the constants of every module that shapes a cache, and digests of
        these modules' code (without docstrings and comments) and of network weights.

        Example:
            >>> PrepSettings().recorded()["alignment.coarse.margin"]
            0.07
        """
        return {
            **dict(_fields("alignment", self.alignment)),
            **dict(_fields("orchestra_model", self.orchestra_model)),
            **dict(_fields("piano_activity", self.piano_activity)),
            **dict(_fields("separation", self.separation)),
            "keep_parts": self.keep_parts,
            **{f"constant.{name}": value for name, value in constants(*self.further)},
            **digests(*self.further),
        }

    @property
    def further(self) -> tuple[str, ...]:
        """The modules besides `START` from which what shapes the cache is imported."""
        return () if self.separation is None else (SEPARATING,)


USUAL: Final = PrepSettings(separation=SeparationConfig(), keep_parts=False)
"""What the command prepares with: the mix is taken apart for what the live piano is compared with."""


def _fields(prefix: str, value: object) -> Iterator[tuple[str, Setting]]:
    """The leaves of nested dataclasses, by dotted name."""
    if dataclasses.is_dataclass(value):
        for f in dataclasses.fields(value):
            yield from _fields(f"{prefix}.{f.name}", getattr(value, f.name))
    else:
        yield prefix, plain(value, prefix)


def constants(*further: str) -> Iterator[tuple[str, Setting]]:
    """Names in capitals of every module that shapes a cache, those it imports too, with their values as of now."""
    for name in shaping_modules(*further):
        for constant, value in sorted(vars(importlib.import_module(name)).items()):
            if _CONSTANT.fullmatch(constant):
                yield from _fields(f"{name}.{constant}", value)


def plain(value: object, name: str) -> Setting:
    """Return a constant as plain JSON.

    Raises:
        TypeError: there is no rule for this type; add one here.
    """
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case bool() | int() | float() | str() | None:
            return value
        case np.generic():
            return plain(value.item(), name)
        case np.ndarray():
            return plain(value.tolist(), name)
        case slice():
            return [value.start, value.stop, value.step]
        case dict():
            return [[plain(k, name), plain(v, name)] for k, v in value.items()]
        case frozenset():
            return sorted(str(v) for v in value)
        case tuple() | list():
            return [plain(v, name) for v in value]
        case Path():
            return value.name
    raise TypeError(f"{name} is a {type(value).__name__}; say in offline_prep.settings.plain how to record it")


@cache
def shaping_modules(*further: str) -> tuple[str, ...]:
    """Names of the modules that shape a cache, sorted: `START`, further ones, and what they import of this project."""
    found: set[str] = set()
    waiting = [START, *further]
    while waiting:
        name = waiting.pop()
        file = _file(name)
        separates = name.startswith(SEPARATION) and SEPARATING not in further
        if file is not None and not separates and name not in found | NOT_SHAPING:
            found.add(name)
            waiting += _imports(ast.parse(file.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def _file(module: str) -> Path | None:
    """Source file of a module of this project; None for packages and everything else."""
    root, *parts = module.split(".")
    if root not in _ROOTS or not parts:
        return None
    file = _ROOTS[root].joinpath(*parts).with_suffix(".py")
    return file if file.is_file() else None


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def digests(*further: str) -> dict[str, Setting]:
    """Digests of the code of the modules that shape a cache, and of the weights beside them, by name."""
    found: dict[str, Setting] = {}
    for name in shaping_modules(*further):
        file = _file(name)
        assert file is not None
        found[f"code.{name}"] = _digest(code_of(file.read_text(encoding="utf-8")).encode())
        for weights in (w for pattern in WEIGHTS for w in file.parent.glob(pattern)):
            found[f"weights.{weights.name}"] = _digest(weights.read_bytes())
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]


def code_of(source: str) -> str:
    r"""Return Python source without comments, docstrings and other strings that stand alone, evenly formatted.

    Example:
        >>> code_of('X = 1  # one\n"The one."\n')
        'X = 1'
    """
    tree = _WithoutDocstrings().visit(ast.parse(source))
    for node in ast.walk(tree):
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            setattr(node, "body", [ast.Pass()])  # noqa: B010  (not every kind of node has one)
    return ast.unparse(tree)


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node
