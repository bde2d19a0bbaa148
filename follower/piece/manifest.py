"""The manifest: what a cache was made from, by which version, with which settings, and what came out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from follower.config import PrepConfig, require
from follower.errors import CacheCorruptError, CacheMissingError, CacheVersionError, ConfigError

FORMAT_VERSION: Final = 3
MANIFEST: Final = "manifest.json"
SEPARATED: Final[Mapping[str, str]] = {"mix_piano": "mix_piano.flac", "mix_orchestra": "mix_orchestra.flac"}
"""Files of a cache that hold the parts of the mix, by role."""
_CHECKSUM: Final = b'"checksum": "%s"\n}\n'
"""The file's last two lines. The checksum is of the whole file with zeros in its place."""
_ZEROS: Final = b"0" * 64

Setting: TypeAlias = str | int | float | bool | list[Any] | None
"""Plain JSON: a setting's value as the manifest keeps it."""


@dataclass(frozen=True)
class InputFile:
    """One recording a cache was made from.

    Attributes:
        path: where it was, absolute.
        sha256: of the file's bytes, 64 hexadecimal digits.
        duration_s: length of the recording (s).
        sample_rate_hz: rate of the file.
    """

    path: str
    sha256: str
    duration_s: float
    sample_rate_hz: int

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: the length or the rate is not positive and finite.
        """
        require(math.isfinite(self.duration_s) and self.duration_s > 0, "duration_s", self.duration_s, "above 0")
        require(self.sample_rate_hz > 0, "sample_rate_hz", self.sample_rate_hz, "above 0")

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
    """What a cache was made from, with what, and what came out.

    Attributes:
        program_version: version of this project that wrote the cache.
        config: configuration of the features, which the live engine needs again.
        inputs: recordings by role: "orchestra" (unless the piece was made without one), "mix", and with stems
            "mix_piano", "mix_orchestra".
        alignment: quality and figures of the map between the two recordings, plain JSON.
        settings: every other setting that shaped the cache, by dotted name: constants, and digests of network weights
            and of the code.
        separated: the parts the mix was taken apart into, by role "mix_piano", "mix_orchestra", where that was asked
            for; their paths are names within the cache.
    """

    program_version: str
    config: PrepConfig
    inputs: Mapping[str, InputFile]
    alignment: Mapping[str, Any]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    separated: Mapping[str, InputFile] = field(default_factory=dict)

    @property
    def orchestra(self) -> InputFile:
        """What is played: the orchestra recording, or without one the orchestra of the mix."""
        return self.inputs["orchestra"] if "orchestra" in self.inputs else self.separated["mix_orchestra"]

    def rebuild_command(self, cache: Path) -> str:
        """Return the command that builds this cache again."""
        stems = "".join(
            f" --{role.replace('_', '-')} {self.inputs[role].path}"
            for role in ("mix_piano", "mix_orchestra")
            if role in self.inputs
        )
        if "orchestra" not in self.inputs:
            return f"offline-prep --mix {self.inputs['mix'].path} --no-orchestra --out {cache} --force"
        separate = " --separate" if self.separated else ""
        return (
            f"offline-prep {self.inputs['orchestra'].path} {self.inputs['mix'].path}{stems}{separate} "
            f"--out {cache} --force"
        )


def encode_manifest(manifest: Manifest, files: Mapping[str, str]) -> bytes:
    """Return the content of manifest.json, its checksum included.

    Args:
        manifest: what to write.
        files: SHA-256 of every other file of the cache, by file name.
    """
    document = {
        "format_version": FORMAT_VERSION,
        "program_version": manifest.program_version,
        "config": manifest.config.to_json(),
        "settings": dict(manifest.settings),
        "inputs": {role: f.to_json() for role, f in manifest.inputs.items()},
        "alignment": dict(manifest.alignment),
        "files": dict(files),
        **({"separated": {r: f.to_json() for r, f in manifest.separated.items()}} if manifest.separated else {}),
        "checksum": _ZEROS.decode(),
    }
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    return sign_manifest(text.encode())


def sign_manifest(content: bytes) -> bytes:
    """Return the content of a manifest.json with the checksum at its end set right."""
    body = content[: -len(_CHECKSUM % _ZEROS)] + _CHECKSUM % _ZEROS
    return body[: -len(_CHECKSUM % _ZEROS)] + _CHECKSUM % hashlib.sha256(body).hexdigest().encode()


def manifest_sha256(path: Path) -> str:
    """Return the SHA-256 of a cache's manifest, and so of everything in it: what tells one preparation from another.

    Raises:
        CacheMissingError: there is no cache at `path`.
    """
    try:
        return hashlib.sha256((path / MANIFEST).read_bytes()).hexdigest()
    except OSError as e:
        raise CacheMissingError(f"{path} is not a cache ({e.strerror or e}); give the folder offline-prep wrote") from e


def read_manifest(path: Path) -> Manifest:
    """Read and check the manifest of the cache folder `path` only.

    Raises:
        CacheMissingError: there is no cache at `path`.
        CacheVersionError: it has another format version.
        CacheCorruptError: the manifest has changed since it was written, or does not say what it should.
    """
    return read_manifest_and_files(path)[0]


def read_manifest_and_files(path: Path) -> tuple[Manifest, dict[str, str]]:
    """As `read_manifest`; also the SHA-256 of every other file, by name."""
    document = _read_document(path)
    try:
        inputs, separated = (_described(document.get(key, {})) for key in ("inputs", "separated"))
        manifest = Manifest(
            str(document["program_version"]),
            PrepConfig.from_json(document["config"]),
            inputs,
            dict(document["alignment"]),
            dict(document["settings"]),
            separated,
        )
        if "mix" not in inputs or ("orchestra" not in inputs and not separated):
            raise KeyError("inputs")
        if any(separated[role].path != name for role, name in SEPARATED.items() if separated):
            raise KeyError("separated")
        files = {str(name): str(digest) for name, digest in document["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ConfigError) as e:
        raise CacheCorruptError(f"{path / MANIFEST} is damaged ({e!r}); run offline-prep again with --force") from e
    return manifest, files


def _described(files: Mapping[str, Any]) -> dict[str, InputFile]:
    return {
        role: InputFile(str(f["path"]), str(f["sha256"]), float(f["duration_s"]), int(f["sample_rate_hz"]))
        for role, f in files.items()
    }


def _read_document(path: Path) -> dict[str, Any]:
    try:
        content = (path / MANIFEST).read_bytes()
        document = json.loads(content.decode("utf-8"))
    except FileNotFoundError as e:
        raise CacheMissingError(
            f"{path} is not a cache ({MANIFEST} is missing); make one with: offline-prep ORCHESTRA MIX --out {path}"
        ) from e
    except NotADirectoryError as e:
        raise CacheMissingError(f"{path} is a file, not a cache folder; give the folder offline-prep wrote") from e
    except (OSError, ValueError, RecursionError) as e:
        raise CacheCorruptError(f"{path / MANIFEST} cannot be read ({e}); run offline-prep again") from e
    version = document.get("format_version") if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        raise CacheVersionError(
            f"{path} has cache format version {version!r}, this program reads version {FORMAT_VERSION}; "
            f"build it again: offline-prep ORCHESTRA MIX --out {path} --force"
        )
    if content != sign_manifest(content):
        raise CacheCorruptError(
            f"{path / MANIFEST} has changed since it was written (checksum); "
            f"build the cache again: offline-prep ORCHESTRA MIX --out {path} --force"
        )
    assert isinstance(document, dict)
    return document
