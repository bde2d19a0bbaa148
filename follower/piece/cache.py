"""The cache folder: what offline prep writes and the follower loads. Plain .npy/.npz and JSON, never pickle."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig, PrepConfig
from follower.errors import CacheCorruptError, CacheMissingError, CacheVersionError, ConfigError, OutputError
from follower.piece.gmm import DiagonalGmm
from follower.piece.mix_map import MixMap

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
REQUIRED_ARRAYS = (
    "o_chroma",
    "o_mfcc",
    "po_chroma",
    "po_mfcc",
    "o_po_align",
    "map_confidence",
    "o_stream_pitch",
    "o_stream_mfcc",
    "o_stream_rms",
    "po_stream_pitch",
    "po_stream_mfcc",
    "po_stream_rms",
    "po_piano_activity",
)
"""Every cache has these. One made with a piano stem has its piano_stem_stream_pitch, _mfcc and _rms too."""
GMMS = ("gmm_o", "gmm_mix_orchestra", "gmm_mix_piano")
"""Mixtures: the notebook's, of O's MFCC; then both classes as they sound in the full mix, of the stream's MFCC."""


@dataclass(frozen=True)
class InputFile:
    """One recording a cache was built from."""

    path: str
    sha256: str
    duration_s: float
    sample_rate_hz: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "duration_s": self.duration_s,
            "sample_rate_hz": self.sample_rate_hz,
        }


@dataclass(frozen=True)
class Manifest:
    """What a cache was built from, with what, and what came out.

    Attributes:
        program_version: version of this project that wrote it.
        config: everything the features depend on.
        inputs: by role: "orchestra", "mix", and with stems "mix_piano", "mix_orchestra".
        alignment: the PO-O map's verdict and figures, plain JSON.
    """

    program_version: str
    config: PrepConfig
    inputs: Mapping[str, InputFile]
    alignment: Mapping[str, Any]

    def rebuild_command(self, cache: Path) -> str:
        """Return the command that builds this cache again."""
        stems = "".join(
            f" --{role.replace('_', '-')} {self.inputs[role].path}"
            for role in ("mix_piano", "mix_orchestra")
            if role in self.inputs
        )
        return f"offline-prep {self.inputs['orchestra'].path} {self.inputs['mix'].path}{stems} --out {cache} --force"


@dataclass(frozen=True)
class Cache:
    """A loaded, verified cache.

    Attributes:
        path: its folder.
        manifest: see `Manifest`.
        arrays: by file name without ending; read-only.
        gmms: mixtures by name, see `GMMS`.
    """

    path: Path
    manifest: Manifest
    arrays: Mapping[str, NDArray[Any]]
    gmms: Mapping[str, DiagonalGmm]

    @property
    def feature_config(self) -> FeatureConfig:
        """Configuration the online features must be built from."""
        return self.manifest.config.features

    @property
    def orchestra_duration_s(self) -> float:
        """Length of the orchestra recording (s)."""
        return self.manifest.inputs["orchestra"].duration_s

    @property
    def mix_duration_s(self) -> float:
        """Length of the full mix (s)."""
        return self.manifest.inputs["mix"].duration_s

    @cached_property
    def mix_map(self) -> MixMap:
        """The PO-O map."""
        o_po = self.arrays["o_po_align"]
        return MixMap(o_po[0], o_po[1], self.arrays["map_confidence"])


def _npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode arrays as npz without time stamps, so that equal content gives equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for name in sorted(arrays):
            z.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy_bytes(arrays[name]))
    return out.getvalue()


def _npy_bytes(array: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(array), allow_pickle=False)
    return out.getvalue()


@contextlib.contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `path` on success and vanishes on failure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as e:
        raise OutputError(f"cannot write the cache {path}: {e.strerror or e}; choose a folder you may write to") from e
    old = temporary.with_name(temporary.name + ".old")
    try:
        yield temporary
        os.chmod(temporary, 0o755)  # noqa: PTH101  (mkdtemp makes it private)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
    except OSError as e:
        if old.exists() and not path.exists():
            old.rename(path)
        raise OutputError(f"cannot write the cache {path}: {e.strerror or e}") from e
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_cache(
    path: Path, manifest: Manifest, arrays: Mapping[str, NDArray[Any]], gmms: Mapping[str, DiagonalGmm]
) -> None:
    """Write a cache folder at once: a temporary folder beside it is filled, then renamed.

    Raises:
        CacheCorruptError: an array or a mixture is missing (the caller's fault).
        OutputError: the folder cannot be written; nothing is left behind.
    """
    for name in (*REQUIRED_ARRAYS, *GMMS):
        if name not in arrays and name not in gmms:
            raise CacheCorruptError(f"a cache needs {name}, which was not computed")
    with _replacing_folder(path) as folder:
        files: dict[str, str] = {}
        contents = {f"{n}.npy": _npy_bytes(a) for n, a in arrays.items()} | {
            f"{n}.npz": _npz_bytes({"weights": g.weights, "means": g.means, "covariances": g.covariances})
            for n, g in gmms.items()
        }
        for name, content in sorted(contents.items()):
            (folder / name).write_bytes(content)
            files[name] = hashlib.sha256(content).hexdigest()
        document = {
            "format_version": FORMAT_VERSION,
            "program_version": manifest.program_version,
            "config": manifest.config.to_json(),
            "inputs": {role: f.to_json() for role, f in manifest.inputs.items()},
            "alignment": dict(manifest.alignment),
            "files": files,
        }
        (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise CacheMissingError(
            f"{path} is not a cache ({MANIFEST} is missing); make one with: offline-prep ORCHESTRA MIX --out {path}"
        ) from e
    except NotADirectoryError as e:
        raise CacheMissingError(f"{path} is a file, not a cache folder; give the folder offline-prep wrote") from e
    except (OSError, ValueError) as e:
        raise CacheCorruptError(f"{path / MANIFEST} cannot be read ({e}); run offline-prep again") from e
    version = document.get("format_version") if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        raise CacheVersionError(
            f"{path} has cache format version {version!r}, this program reads version {FORMAT_VERSION}; "
            f"build it again: offline-prep ORCHESTRA MIX --out {path} --force"
        )
    assert isinstance(document, dict)
    return document


def read_manifest(path: Path) -> Manifest:
    """Read and check a cache's manifest only.

    Raises:
        CacheMissingError: there is no cache at `path`.
        CacheVersionError: it has another format version.
        CacheCorruptError: the manifest does not say what it should.
    """
    return _manifest(path, _read_document(path))


def _manifest(path: Path, document: dict[str, Any]) -> Manifest:
    try:
        inputs = {
            role: InputFile(str(f["path"]), str(f["sha256"]), float(f["duration_s"]), int(f["sample_rate_hz"]))
            for role, f in document["inputs"].items()
        }
        manifest = Manifest(
            str(document["program_version"]),
            PrepConfig.from_json(document["config"]),
            inputs,
            dict(document["alignment"]),
        )
        if not {"orchestra", "mix"} <= set(inputs):
            raise KeyError("inputs")
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as e:
        raise CacheCorruptError(f"{path / MANIFEST} is damaged ({e!r}); run offline-prep again with --force") from e
    return manifest


def load_cache(path: Path | str) -> Cache:
    """Load a cache and verify every file's checksum.

    Raises:
        CacheMissingError: no cache at `path`, or one of its files is gone.
        CacheVersionError: another format version.
        CacheCorruptError: a changed byte, or an array of the wrong shape.
    """
    path = Path(path)
    document = _read_document(path)
    manifest = _manifest(path, document)
    remedy = f"build it again: {manifest.rebuild_command(path)}"
    files = document.get("files")
    wanted = {f"{n}.npy" for n in REQUIRED_ARRAYS} | {f"{n}.npz" for n in GMMS}
    if not isinstance(files, dict) or not wanted <= set(files):
        raise CacheCorruptError(f"{path / MANIFEST} does not list all files of a cache; {remedy}")
    arrays: dict[str, NDArray[Any]] = {}
    gmms: dict[str, DiagonalGmm] = {}
    for name, digest in files.items():
        if Path(name).name != name:
            raise CacheCorruptError(f"{path / MANIFEST} names {name!r}, which is outside the cache; {remedy}")
        try:
            content = (path / name).read_bytes()
        except OSError as e:
            raise CacheMissingError(f"the cache {path} lacks {name} ({e.strerror or e}); {remedy}") from e
        if hashlib.sha256(content).hexdigest() != digest:
            raise CacheCorruptError(f"{path / name} has changed since it was written (checksum); {remedy}")
        stem, _, ending = name.rpartition(".")
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if ending == "npz":
            gmms[stem] = DiagonalGmm(loaded["weights"], loaded["means"], loaded["covariances"])
        else:
            loaded.setflags(write=False)
            arrays[stem] = loaded
    _check_shapes(path, manifest.config.features, arrays, remedy)
    return Cache(path, manifest, arrays, gmms)


def _check_shapes(path: Path, features: FeatureConfig, arrays: Mapping[str, NDArray[Any]], remedy: str) -> None:
    """Raise unless the arrays fit each other and the configuration."""
    stem = ("piano_stem",) if "piano_stem_stream_rms" in arrays else ()
    for role in ("o", "po", *stem):
        n = len(arrays[f"{role}_stream_rms"])
        expected = {"pitch": (n, features.n_semitones), "mfcc": (n, features.n_mfcc), "rms": (n,)}
        for kind, shape in expected.items():
            found = arrays[f"{role}_stream_{kind}"].shape
            if found != shape:
                raise CacheCorruptError(f"{path}: {role}_stream_{kind} has shape {found}, expected {shape}; {remedy}")
    for name, shape in (
        ("po_piano_activity", arrays["po_stream_rms"].shape),
        ("map_confidence", arrays["o_po_align"].shape[1:]),
    ):
        if arrays[name].shape != shape:
            raise CacheCorruptError(f"{path}: {name} has shape {arrays[name].shape}, expected {shape}; {remedy}")
