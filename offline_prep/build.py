"""Make a cache, or leave the one there when nothing it depends on has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from follower.errors import CacheError, InputError, OutputError
from follower.piece.manifest import MANIFEST, InputFile, Manifest, Setting, read_manifest
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from follower.piece.writing import write_piece
from follower.version import program_version
from offline_prep.audio import file_sha256
from offline_prep.compute import Inputs, compute
from offline_prep.progress import ProgressCallback, StagedProgress
from offline_prep.separation.stems import Stems
from offline_prep.settings import PrepSettings

STAGES = {
    "reading": 2.0,
    "live features": 12.0,
    "notebook features": 22.0,
    "alignment": 55.0,
    "orchestra model": 6.0,
    "writing": 3.0,
}
"""Stages and about what share of the time each takes."""
SEPARATION_SHARE = 60.0
"""The stage "separation" takes about so much on the same scale."""
MAX_DIFFERENCES_NAMED = 3


@dataclass(frozen=True)
class BuildResult:
    """What `build_cache` did.

    Attributes:
        path: the cache folder.
        unchanged: the cache was already there, made from the same files with the same settings; nothing was done.
        manifest: the cache's manifest.
        warnings: what the user should know, e.g. that the recordings do not seem to be the same piece.
        outdated: why the cache that was there could not stay; None when there was none, or it stayed.
    """

    path: Path
    unchanged: bool
    manifest: Manifest
    warnings: tuple[str, ...]
    outdated: str | None = None


def is_up_to_date(out: Path, inputs: Inputs, settings: PrepSettings) -> bool:
    """Is there a whole cache at `out`, made by this very version and code from these files with these settings?

    Raises:
        AudioFileError: an input file cannot be read.
    """
    return why_outdated(out, inputs, settings) is None


def why_outdated(out: Path, inputs: Inputs, settings: PrepSettings) -> str | None:
    """Say why the cache at `out` is missing, damaged, or of something else, and how to make it again.

    Returns:
        One line that names the values then and now, and the command; None when the cache is up to date.

    Raises:
        AudioFileError: an input file cannot be read.
    """
    digests = {role: file_sha256(path) for role, path in inputs.by_role().items()}
    try:
        manifest = read_manifest(out)
        found = differences(manifest, settings, digests)
        if not found:
            load_piece(out)
            return None
    except CacheError as e:
        return str(e)
    named = "; ".join(found[:MAX_DIFFERENCES_NAMED])
    more = len(found) - MAX_DIFFERENCES_NAMED
    return (
        f"{out} was made differently: {named}{f'; and {more} more' if more > 0 else ''}; "
        f"build it again: {manifest.rebuild_command(out)}"
    )


def differences(manifest: Manifest, settings: PrepSettings, digests: Mapping[str, str]) -> list[str]:
    """Say what a cache depends on that is not the same now, each with the value then and now.

    Args:
        manifest: of the cache.
        settings: now.
        digests: SHA-256 of the recordings now, by role.
    """
    then: dict[str, Setting] = {
        "program version": manifest.program_version,
        **{f"SHA-256 of {role}": f.sha256 for role, f in manifest.inputs.items()},
        **_flat("config", manifest.config.to_json()),
        **manifest.settings,
    }
    now: dict[str, Setting] = {
        "program version": program_version(),
        **{f"SHA-256 of {role}": digest for role, digest in digests.items()},
        **_flat("config", settings.config.to_json()),
        **settings.recorded(),
    }
    nothing = object()
    return [
        f"{name} was {_shown(then, name)}, is {_shown(now, name)}"
        for name in dict.fromkeys([*then, *now])
        if then.get(name, nothing) != now.get(name, nothing)
    ]


def _shown(values: Mapping[str, Setting], name: str) -> str:
    return repr(values[name]) if name in values else "not there"


def _flat(prefix: str, data: Mapping[str, object]) -> dict[str, Setting]:
    out: dict[str, Setting] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            out |= _flat(f"{prefix}.{name}", value)
        else:
            assert isinstance(value, str | int | float | bool | list | None)
            out[f"{prefix}.{name}"] = value
    return out


def _ignore(stage: str, share: float) -> None:
    pass


def build_cache(
    inputs: Inputs,
    out: Path,
    settings: PrepSettings | None = None,
    progress: ProgressCallback = _ignore,
    force: bool = False,
) -> BuildResult:
    """Build a cache at `out`, or leave the one there when nothing changed.

    Args:
        inputs: the recordings.
        out: the cache folder; replaced as a whole when the new one is complete.
        settings: everything else the cache depends on; None is the default.
        progress: called with stage and share done.
        force: build even when nothing changed.

    Raises:
        AudioFileError: a recording cannot be used.
        InputError: a stem's length is not the mix's; `out` is a folder that is no cache.
        OutputError: `out` cannot be written.

    Example:
        >>> result = build_cache(Inputs(Path("o.wav"), Path("po.wav")), Path("mypiece"))  # doctest: +SKIP
    """
    settings = settings or PrepSettings()
    there = (out / MANIFEST).exists()
    if out.exists() and not there and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not a cache; choose another folder for --out")
    outdated = None
    if there and not force:
        outdated = why_outdated(out, inputs, settings)
        if outdated is None:
            manifest = read_manifest(out)
            return BuildResult(out, True, manifest, tuple(manifest.alignment.get("warnings", ())))
    scratch = _check_destination(out)
    piece, stems = prepare_piece(inputs, out, settings, scratch, progress)
    with nullcontext() if stems is None else closing(stems):
        write_piece(piece, stems.files if stems is not None else None)
    progress("done", 1.0)
    return BuildResult(out, False, piece.manifest, tuple(piece.manifest.alignment["warnings"]), outdated)


def prepare_piece(
    inputs: Inputs, out: Path, settings: PrepSettings, scratch: Path, report: ProgressCallback = _ignore
) -> tuple[Piece, Stems | None]:
    """Compute a piece without writing it, and the parts of its mix; arguments and errors as `build_cache`."""
    from threadpoolctl import threadpool_limits

    progress = StagedProgress(_stages(inputs, settings), report)
    # The last digits of a matrix product depend on how many threads share it, and a cache must not depend on how many
    # cores the computer has.
    with threadpool_limits(1):
        computed = compute(inputs, settings, progress, scratch)
    progress.stage("writing")("", 0.0)
    alignment = computed.alignment.report()
    alignment["warnings"] = [*alignment["warnings"], *computed.warnings]
    files = {
        role: InputFile(str(r.path.resolve()), r.sha256, r.duration_s, r.sample_rate_hz)
        for role, r in computed.recordings.items()
    }
    separated = computed.stems.described(files["mix"].duration_s) if computed.stems is not None else {}
    piece = Piece(
        out,
        Manifest(program_version(), settings.config, files, alignment, settings.recorded(), separated),
        computed.orchestra,
        computed.mix,
        computed.alignment.mix_map,
        computed.piano_activity,
        computed.gmm,
        computed.mix_piano,
    )
    return piece, computed.stems


def _stages(inputs: Inputs, settings: PrepSettings) -> dict[str, float]:
    """The stages in their order: what is separated without a map comes before it, with one after it."""
    if settings.separation is None:
        return STAGES
    following = "live features" if inputs.orchestra is None else "writing"
    stages: dict[str, float] = {}
    for name, share in STAGES.items():
        stages |= {"separation": SEPARATION_SHARE, name: share} if name == following else {name: share}
    return stages


def _check_destination(out: Path) -> Path:
    """Raise before the minutes of work when it is plain that `out` cannot be made after them.

    Returns:
        The folder that is there already and will hold it.
    """
    nearest = next(p for p in out.resolve().parents if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(f"cannot write the cache {out}: {nearest} is not a folder you may write to; choose another")
    return nearest
