"""Build a cache: read, compute features, fit the orchestra model, align, write. Linear in the recordings' length."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig, PrepConfig
from follower.errors import CacheError, InputError, OutputError
from follower.piece.cache import InputFile, Manifest, load_cache, read_manifest, write_cache
from follower.piece.gmm import DiagonalGmm
from follower.signal.features import FeatureFrames, FeatureStream, concatenate
from offline_prep.alignment.align import align_recordings
from offline_prep.audio import Recording, file_sha256, load_recording, resample
from offline_prep.notebook.features import NOTEBOOK_RATE_HZ, notebook_features
from offline_prep.notebook.system import fit_gmm
from offline_prep.orchestra_model import fit_mix_mixtures, piano_activity
from offline_prep.progress import ProgressCallback, StagedProgress
from offline_prep.roles import swapped_warning

DISTRIBUTION = "concerto-follower"
STREAM_CHUNK_SAMPLES = 1 << 18
STEM_LENGTH_SLACK_S = 0.5
"""Separators pad or trim a little."""
STAGES = {
    "reading": 2.0,
    "live features": 12.0,
    "notebook features": 22.0,
    "alignment": 55.0,
    "orchestra model": 6.0,
    "writing": 3.0,
}
"""Stages and about what share of the time each takes."""


@dataclass(frozen=True)
class Inputs:
    """Paths of the recordings a cache is built from; the stems are optional."""

    orchestra: Path
    mix: Path
    mix_piano: Path | None = None
    mix_orchestra: Path | None = None

    def by_role(self) -> dict[str, Path]:
        """Return role -> path of those given."""
        paths = {
            "orchestra": self.orchestra,
            "mix": self.mix,
            "mix_piano": self.mix_piano,
            "mix_orchestra": self.mix_orchestra,
        }
        return {role: p for role, p in paths.items() if p is not None}


@dataclass(frozen=True)
class BuildResult:
    """What `build_cache` did.

    Attributes:
        path: the cache folder.
        unchanged: the cache was already there, made from the same files and configuration: nothing was done.
        manifest: the cache's manifest.
        warnings: what the user should know, e.g. that the recordings do not seem to be the same piece.
    """

    path: Path
    unchanged: bool
    manifest: Manifest
    warnings: tuple[str, ...]


def is_up_to_date(out: Path, inputs: Inputs, config: PrepConfig) -> bool:
    """Is there a whole cache at `out`, made by this version from these very files and configuration?

    Raises:
        AudioFileError: an input file cannot be read.
    """
    digests = {role: file_sha256(path) for role, path in inputs.by_role().items()}
    try:
        manifest = read_manifest(out)
        same = (
            manifest.program_version == version(DISTRIBUTION)
            and manifest.config == config
            and {role: f.sha256 for role, f in manifest.inputs.items()} == digests
        )
        if same:
            load_cache(out)
    except CacheError:
        return False
    return same


def _ignore(stage: str, share: float) -> None:
    pass


def build_cache(
    inputs: Inputs,
    out: Path,
    config: PrepConfig | None = None,
    progress: ProgressCallback = _ignore,
    force: bool = False,
) -> BuildResult:
    """Build a cache at `out`, or leave the one there when nothing changed.

    Args:
        inputs: the recordings.
        out: the cache folder; replaced as a whole when the new one is complete.
        config: everything else the cache depends on; None is the default.
        progress: called with stage and share done.
        force: build even when nothing changed.

    Raises:
        AudioFileError: a recording cannot be used.
        InputError: a stem's length is not the mix's; `out` is a folder that is no cache.
        OutputError: `out` cannot be written.

    Example:
        >>> result = build_cache(Inputs(Path("o.wav"), Path("po.wav")), Path("cache"))  # doctest: +SKIP
    """
    config = config or PrepConfig()
    if out.exists() and not (out / "manifest.json").exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not a cache; choose another folder for --out")
    if not force and is_up_to_date(out, inputs, config):
        manifest = read_manifest(out)
        return BuildResult(out, True, manifest, tuple(manifest.alignment.get("warnings", ())))
    _check_place(out)
    computed = compute(inputs, config, progress)
    write_cache(out, computed.manifest, computed.arrays, computed.gmms)
    progress("done", 1.0)
    return BuildResult(out, False, computed.manifest, tuple(computed.manifest.alignment["warnings"]))


def _check_place(out: Path) -> None:
    """Raise before the minutes of work when it is plain that `out` cannot be made after them."""
    nearest = next(p for p in out.resolve().parents if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(f"cannot write the cache {out}: {nearest} is not a folder you may write to; choose another")


def stream_features(recording: Recording, config: FeatureConfig, progress: ProgressCallback) -> FeatureFrames:
    """Push a whole recording through the extractor the live engine uses."""
    stream = FeatureStream(config, recording.sample_rate_hz)
    parts = []
    for begin in range(0, len(recording.samples), STREAM_CHUNK_SAMPLES):
        parts.append(stream.extract(recording.samples[begin : begin + STREAM_CHUNK_SAMPLES]))
        progress(
            recording.path.name, min(begin + STREAM_CHUNK_SAMPLES, len(recording.samples)) / len(recording.samples)
        )
    parts.append(stream.finish())
    return concatenate(parts, config)


def _stem_of(recording: Recording, mix: Recording) -> None:
    """Raise unless a stem is as long as the mix it was separated from."""
    if abs(recording.duration_s - mix.duration_s) > STEM_LENGTH_SLACK_S:
        raise InputError(
            f"{recording.path} is {recording.duration_s:.2f} s long, but the mix is {mix.duration_s:.2f} s; "
            "a stem must be as long as the mix it was separated from"
        )


@dataclass(frozen=True)
class Computed:
    """Everything that goes into a cache."""

    manifest: Manifest
    arrays: dict[str, NDArray[Any]]
    gmms: dict[str, DiagonalGmm]


def compute(inputs: Inputs, config: PrepConfig, report: ProgressCallback = _ignore) -> Computed:
    """Compute a cache's content without writing it; arguments and errors as `build_cache`."""
    progress = StagedProgress(STAGES, report)
    recordings: dict[str, Recording] = {}
    for k, (role, path) in enumerate(inputs.by_role().items()):
        progress.stage("reading", k, len(inputs.by_role()))(path.name, 0.0)
        recordings[role] = load_recording(path)
    mix = recordings["mix"]
    for role in ("mix_piano", "mix_orchestra"):
        if role in recordings:
            _stem_of(recordings[role], mix)

    arrays: dict[str, NDArray[Any]] = {}
    streamed = {"o": "orchestra", "po": "mix"} | ({"piano_stem": "mix_piano"} if "mix_piano" in recordings else {})
    for k, (name, role) in enumerate(streamed.items()):
        frames = stream_features(recordings[role], config.features, progress.stage("live features", k, len(streamed)))
        arrays |= {
            f"{name}_stream_{kind}": array
            for kind, array in (("pitch", frames.pitch), ("mfcc", frames.mfcc), ("rms", frames.rms))
        }

    samples = {role: resample(r.samples, r.sample_rate_hz, NOTEBOOK_RATE_HZ) for role, r in recordings.items()}
    for k, (name, role) in enumerate({"o": "orchestra", "po": "mix"}.items()):
        progress.stage("notebook features", k, 2)(role, 0.0)
        features = notebook_features(samples[role], config.notebook_hop_samples)
        arrays |= {f"{name}_chroma": features.chroma, f"{name}_mfcc": features.mfcc}

    alignment = align_recordings(
        samples["orchestra"],
        samples["mix"],
        NOTEBOOK_RATE_HZ,
        progress=progress.stage("alignment"),
        mix_orchestra_stem=samples.get("mix_orchestra"),
    )
    mix_map = alignment.mix_map
    arrays["o_po_align"] = np.stack([mix_map.orchestra_s, mix_map.mix_s])
    arrays["map_confidence"] = mix_map.confidence

    progress.stage("orchestra model")("", 0.0)
    activity = piano_activity(arrays["po_stream_pitch"], arrays["o_stream_pitch"], mix_map, config.features)
    arrays["po_piano_activity"] = activity
    alignment_report = alignment.report()
    swapped = swapped_warning(activity, arrays["po_stream_pitch"], arrays["o_stream_pitch"], mix_map, config.features)
    if swapped is not None:
        alignment_report["warnings"] = [*alignment_report["warnings"], swapped]
    mixtures = fit_mix_mixtures(arrays["po_stream_mfcc"], arrays["po_stream_rms"], activity)
    gmms = {
        "gmm_o": fit_gmm(arrays["o_mfcc"]),
        "gmm_mix_orchestra": mixtures.orchestra,
        "gmm_mix_piano": mixtures.piano,
    }
    progress.stage("writing")("", 0.0)
    files = {
        role: InputFile(str(r.path.resolve()), r.sha256, r.duration_s, r.sample_rate_hz)
        for role, r in recordings.items()
    }
    manifest = Manifest(version(DISTRIBUTION), config, files, alignment_report)
    return Computed(manifest, arrays, gmms)
