"""The folders of the notebook's system: what must be in them, and the results written to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from follower.errors import CacheMissingError, OutputError, ScenarioError
from follower.files.find import find_audio
from follower.files.npy import write_npy
from follower.piece.reading import load_piece
from offline_prep.audio import load_recording, resample
from offline_prep.notebook.features import NOTEBOOK_RATE_HZ, notebook_features
from offline_prep.notebook.plots import plot_warping_paths
from offline_prep.notebook.system import NotebookResult, OfflineStage, notebook_alignment

SCENARIO_RECORDINGS = ("p", "o", "po")
CACHE_FILES = ("o_chroma.npy", "o_mfcc.npy", "po_chroma.npy", "po_mfcc.npy", "gmm_o.npz")
RESULT_FILE = "hyp.npy"
PLOT_FILE = "warping_paths.png"


def process_scenario(scenario: Path, cache: Path, out: Path) -> NotebookResult:
    """The notebook's `online_processing`: align a scenario's piano and write the results.

    Args:
        scenario: folder with p, o and po.
        cache: folder `offline-prep` made of the scenario's o and po (the notebook's `offline_processing`).
        out: folder to make; it must not exist yet.

    Raises:
        ScenarioError: a recording is missing.
        CacheError: the cache is missing, incomplete or damaged.
        AlignmentError: an alignment does not exist.
        OutputError: `out` exists or cannot be written.
    """
    verify_scenario_folder(scenario)
    verify_cache_folder(cache)
    if out.exists():
        raise OutputError(f"{out} exists already; choose another folder, or remove it")
    prepared = load_piece(cache)
    hop_samples = prepared.manifest.config.notebook_hop_samples
    recording = load_recording(find_audio(scenario, "p"))
    piano = notebook_features(resample(recording.samples, recording.sample_rate_hz, NOTEBOOK_RATE_HZ), hop_samples)
    offline = OfflineStage(prepared.orchestra.notebook, prepared.mix.notebook, prepared.gmm.notebook_orchestra)
    result = notebook_alignment(piano, offline, hop_samples)
    save_notebook_result(result, out)
    return result


def verify_scenario_folder(folder: Path) -> None:
    """Check that a scenario folder has its three recordings.

    Raises:
        ScenarioError: a recording is missing; the message names what is missing.
    """
    if not folder.is_dir():
        raise ScenarioError(f"{folder} is not a folder; give a scenario folder")
    for name in SCENARIO_RECORDINGS:
        find_audio(folder, name)


def verify_cache_folder(folder: Path) -> None:
    """Check that a cache folder has the files the notebook's online stage reads.

    Raises:
        CacheMissingError: a file is missing; the message names what is missing.
    """
    missing = [name for name in CACHE_FILES if not (folder / name).is_file()]
    if missing:
        raise CacheMissingError(f"{folder} lacks {', '.join(missing)}; run: offline-prep ORCHESTRA MIX --out {folder}")


def verify_result_folder(folder: Path) -> None:
    """Check that a results folder has an alignment.

    Raises:
        ScenarioError: the folder has no alignment.
    """
    if not (folder / RESULT_FILE).is_file():
        raise ScenarioError(f"{folder} lacks {RESULT_FILE}; run the follower with --out {folder} first")


def save_paths(hyp_s: NDArray[np.float64], p_po: NDArray[np.int64], o_po: NDArray[np.int64], folder: Path) -> None:
    """Write hyp.npy (seconds), p_po_align.npy and o_po_align.npy (frames), as the notebook does.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in ((RESULT_FILE, hyp_s), ("p_po_align.npy", p_po), ("o_po_align.npy", o_po)):
            write_npy(folder / name, array)
    except OSError as e:
        raise OutputError(f"cannot write {folder}: {e.strerror or e}; choose a folder you may write") from e


def save_notebook_result(result: NotebookResult, folder: Path) -> None:
    """Write the three arrays and the plot of the warping paths.

    Raises:
        OutputError: the folder cannot be written.
    """
    save_paths(result.hyp, result.p_po, result.o_po, folder)
    plot_warping_paths(result, folder / PLOT_FILE)
