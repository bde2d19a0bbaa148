"""Compute what goes into a cache: features, the map, the piano activity, mixtures. Linear in the recordings' length."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import InputError
from follower.piece.gmm import DiagonalGmm
from follower.piece.piece import Mix, NotebookFeatures, Orchestra, PieceGmms, StreamFeatures
from follower.signal.features import FeatureStream, concatenate
from offline_prep.alignment.align import Alignment, align_recordings
from offline_prep.audio import Recording, load_recording, resample
from offline_prep.notebook.features import NOTEBOOK_RATE_HZ, notebook_features
from offline_prep.notebook.system import fit_gmm
from offline_prep.orchestra_model import fit_mix_mixtures, unexplained_activity
from offline_prep.parts import same_time, separate_alone, separate_with
from offline_prep.piano_activity import piano_activity
from offline_prep.progress import ProgressCallback, StagedProgress
from offline_prep.roles import same_warning, swapped_warning
from offline_prep.separation.stems import Stems
from offline_prep.settings import PrepSettings

STREAM_CHUNK_SAMPLES = 1 << 18
STEM_LENGTH_SLACK_S = 0.5
"""Separators pad or trim a little."""


@dataclass(frozen=True)
class Inputs:
    """The recordings a cache is made from.

    Attributes:
        orchestra: the orchestra recording; None where there is none, and the orchestra is taken out of the mix.
        mix: the full mix.
        mix_piano: piano stem of the mix; the live piano is compared with it as well as with the mix.
        mix_orchestra: orchestra stem of the mix; the map is made with it where it gives the surer one.
    """

    orchestra: Path | None
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


@dataclass(frozen=True, eq=False)
class Computed:
    """What was computed of the recordings.

    Attributes:
        recordings: by role.
        orchestra: features of the orchestra recording.
        mix: features of the full mix.
        mix_piano: amplitudes of the semitones of the piano stem, given or our own, as of the mix; None without one.
        stems: the parts of the mix, where it was taken apart; to be closed.
        alignment: the map between the recordings, and its figures.
        piano_activity: float32, shape (n,), 0..1, per frame of the mix.
        gmm: Gaussian mixtures of the orchestra and of the piano.
        warnings: what the user should know.
    """

    recordings: dict[str, Recording]
    orchestra: Orchestra
    mix: Mix
    mix_piano: NDArray[np.float32] | None
    stems: Stems | None
    alignment: Alignment
    piano_activity: NDArray[np.float32]
    gmm: PieceGmms
    warnings: tuple[str, ...]


def compute(inputs: Inputs, settings: PrepSettings, progress: StagedProgress, scratch: Path) -> Computed:
    """Compute a cache's content without writing it.

    Args:
        inputs: the recordings.
        settings: see `PrepSettings`.
        progress: with the stages of `offline_prep.build.STAGES`.
        scratch: folder where the parts of the mix take up room until they are in the cache.

    Raises:
        AudioFileError: a recording cannot be used.
        InputError: a stem's length is not the mix's, or a recording is too short.
        AlignmentError: nothing in the recordings matches.
        OutputError: there is no room for the parts of the mix.
    """
    recordings = _read(inputs, progress)
    with ExitStack() as closing:
        mix, stems, alignment = recordings["mix"], None, None
        if settings.separation is not None:
            report = progress.stage("separation")
            stems = closing.enter_context(Stems(scratch, mix.sample_rate_hz, mix.channels))
        if inputs.orchestra is None:
            if stems is None or settings.separation is None:
                raise InputError("without an orchestra recording the mix must be separated; give the settings for it")
            alignment = same_time(mix)
            separate_alone(mix, alignment, stems, settings.separation, report)
            recordings["orchestra"] = stems.recording("mix_orchestra")
        computed = _compute(recordings, settings, progress, alignment)
        if stems is not None and settings.separation is not None and inputs.orchestra is not None:
            separate_with(recordings["orchestra"], mix, computed.alignment, stems, settings.separation, report)
            if computed.mix_piano is None:
                piano = stream_features(stems.recording("mix_piano"), settings.config.features, lambda *_: None)
                computed = replace(computed, mix_piano=as_long(piano.pitch, len(computed.mix.pitch)))
        closing.pop_all()
    if inputs.orchestra is None:
        del recordings["orchestra"]
    return replace(computed, stems=stems)


def _compute(
    recordings: dict[str, Recording], settings: PrepSettings, progress: StagedProgress, alignment: Alignment | None
) -> Computed:
    """As `compute`, of recordings that are there, their map given or not."""
    features = settings.config.features
    roles = [role for role in ("orchestra", "mix", "mix_piano") if role in recordings]
    streams = {
        role: stream_features(recordings[role], features, progress.stage("live features", k, len(roles)))
        for k, role in enumerate(roles)
    }
    samples = {role: resample(r.samples, r.sample_rate_hz, NOTEBOOK_RATE_HZ) for role, r in recordings.items()}
    notebook = {}
    for k, role in enumerate(("orchestra", "mix")):
        progress.stage("notebook features", k, 2)(role, 0.0)
        notebook[role] = notebook_features(samples[role], settings.config.notebook_hop_samples)
    orchestra = Orchestra(streams["orchestra"].pitch, streams["orchestra"].rms, notebook["orchestra"])
    mix = Mix(streams["mix"].pitch, streams["mix"].mfcc, streams["mix"].rms, notebook["mix"])

    given = alignment is not None
    if alignment is None:
        alignment = align_recordings(
            samples["orchestra"],
            samples["mix"],
            NOTEBOOK_RATE_HZ,
            settings.alignment,
            progress=progress.stage("alignment"),
            mix_orchestra_stem=samples.get("mix_orchestra"),
        )
    progress.stage("orchestra model")("", 0.0)
    model = settings.orchestra_model
    unexplained = unexplained_activity(mix.pitch, orchestra.pitch, alignment.mix_map, features, model)
    same = None if given else same_warning(unexplained)
    swapped = None if given else swapped_warning(unexplained, mix.pitch, orchestra.pitch, alignment.mix_map, features)
    mixtures = fit_mix_mixtures(mix.mfcc, mix.rms, unexplained, model)
    activity = piano_activity(mix, orchestra, alignment.mix_map, mixtures, features, model, settings.piano_activity)
    return Computed(
        recordings,
        orchestra,
        mix,
        as_long(streams["mix_piano"].pitch, len(mix.pitch)) if "mix_piano" in streams else None,
        None,
        alignment,
        activity,
        PieceGmms(_orchestra_gmm(recordings["orchestra"], notebook["orchestra"]), mixtures.orchestra, mixtures.piano),
        tuple(warning for warning in (same, swapped) if warning is not None),
    )


def as_long(pitch: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Amplitudes of so many hops; silence where there are fewer."""
    out = np.zeros((n, pitch.shape[1]), np.float32)
    out[: len(pitch)] = pitch[:n]
    return out


def _orchestra_gmm(recording: Recording, features: NotebookFeatures) -> DiagonalGmm:
    try:
        return fit_gmm(features.mfcc)
    except InputError as e:
        raise InputError(f"{recording.path}: {e}") from e


def _read(inputs: Inputs, progress: StagedProgress) -> dict[str, Recording]:
    recordings: dict[str, Recording] = {}
    paths = inputs.by_role()
    for k, (role, path) in enumerate(paths.items()):
        progress.stage("reading", k, len(paths))(path.name, 0.0)
        recordings[role] = load_recording(path)
    for role in ("mix_piano", "mix_orchestra"):
        if role in recordings:
            _check_stem_length(recordings[role], recordings["mix"])
    return recordings


def _check_stem_length(recording: Recording, mix: Recording) -> None:
    """Raise unless a stem is as long as the mix it was separated from."""
    if abs(recording.duration_s - mix.duration_s) > STEM_LENGTH_SLACK_S:
        raise InputError(
            f"{recording.path} is {recording.duration_s:.2f} s long, but the mix is {mix.duration_s:.2f} s; "
            "a stem must be as long as the mix it was separated from"
        )


def stream_features(recording: Recording, config: FeatureConfig, report: ProgressCallback) -> StreamFeatures:
    """Compute the live engine's features of a whole recording."""
    stream = FeatureStream(config, recording.sample_rate_hz)
    parts = []
    for begin in range(0, len(recording.samples), STREAM_CHUNK_SAMPLES):
        parts.append(stream.extract(recording.samples[begin : begin + STREAM_CHUNK_SAMPLES]))
        report(recording.path.name, min(begin + STREAM_CHUNK_SAMPLES, len(recording.samples)) / len(recording.samples))
    parts.append(stream.finish())
    frames = concatenate(parts, config)
    return StreamFeatures(frames.pitch, frames.mfcc, frames.rms)
