"""How well the full mix is taken apart, against its true parts: SDR, SIR and SAR of BSS Eval.

python -m benchmarks.offline_prep.separation SCENARIO... --truth FOLDER [--blocks N] [--record]

FOLDER holds, for each scenario, FOLDER/NAME/po_piano.flac and po_orchestra.flac, the parts that sum to its mix (up to
its noise).  Systems: "mix", the mix itself as the estimate of both; "guided", with the orchestra recording; "alone",
without; "stems", what an outside separator left beside the scenario.  Needs fast_bss_eval (`pip install -e
'.[bench]'`).  `simple_sdr_db` allows for no filter between truth and estimate; the others do, 512 samples long.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import add_option, print_rows, record
from follower.files.audio_file import read_audio
from offline_prep.alignment.align import align_recordings
from offline_prep.alignment.features import SAMPLE_RATE_HZ
from offline_prep.audio import load_recording, resample
from offline_prep.parts import guide_of, same_time
from offline_prep.separation.config import SeparationConfig
from offline_prep.separation.separate import separate

Samples = NDArray[np.float64]
FILTER_SAMPLES = 512
SOLVER_ROUNDS = 10
"""Of conjugate gradients: the package's direct solver does not run with NumPy 2; museval gives the same figures."""
SYSTEMS = ("mix", "guided", "alone", "stems")


def estimates(scenario: Path, systems: Sequence[str], blocks: int | None) -> Iterator[tuple[str, list[Samples], float]]:
    """Each system's piano and orchestra (n,), and the processor time it took (s)."""
    mix = load_recording(_recording(scenario, "po"))
    for system in systems:
        begun = time.process_time()
        if system == "mix":
            yield system, [mix.samples.astype(np.float64)] * 2, 0.0
        elif system == "stems":
            found = [list(scenario.glob(f"po_{part}.*")) for part in ("piano", "orchestra")]
            if all(found):
                yield system, [read_audio(f[0])[0].mean(axis=1).astype(np.float64) for f in found], 0.0
        else:
            guide, alignment = None, same_time(mix)
            if system == "guided":
                orchestra = load_recording(_recording(scenario, "o"))
                samples = [resample(r.samples, r.sample_rate_hz, SAMPLE_RATE_HZ) for r in (orchestra, mix)]
                alignment = align_recordings(samples[0], samples[1], SAMPLE_RATE_HZ)
                begun = time.process_time()
                guide = guide_of(orchestra, mix, alignment, SeparationConfig())
            stretches = list(islice(separate(mix.path, alignment.mix_tuning, guide, SeparationConfig()), blocks))
            parts = [np.concatenate([getattr(s, part) for s in stretches]) for part in ("piano", "orchestra")]
            yield system, [p.mean(axis=1).astype(np.float64) for p in parts], time.process_time() - begun


def _recording(scenario: Path, role: str) -> Path:
    return next(iter(sorted(scenario.glob(f"{role}.[!b]*"))))


def measure(true: Sequence[Samples], found: Sequence[Samples]) -> list[dict[str, float]]:
    """SDR, SIR and SAR (dB) of each part."""
    import fast_bss_eval

    n = min(len(a) for a in (*true, *found))
    reference, estimate = (np.stack([a[:n] for a in parts]) for parts in (true, found))
    sdr, sir, sar = fast_bss_eval.bss_eval_sources(
        reference,
        estimate,
        filter_length=FILTER_SAMPLES,
        use_cg_iter=SOLVER_ROUNDS,
        compute_permutation=False,
    )
    simple = 10 * np.log10(np.square(reference).sum(axis=1) / np.square(reference - estimate).sum(axis=1))
    return [
        {"sdr_db": float(sdr[k]), "sir_db": float(sir[k]), "sar_db": float(sar[k]), "simple_sdr_db": float(simple[k])}
        for k in range(len(true))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", type=Path, nargs="+", metavar="SCENARIO")
    parser.add_argument("--truth", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument("--blocks", type=int, metavar="N", help="judge the first N blocks only (default: everything)")
    add_option(parser)
    args = parser.parse_args()
    rows: list[dict[str, object]] = []
    first_s = None if args.blocks is None else args.blocks * SeparationConfig().block_s
    n_samples = None if first_s is None else int(first_s * SAMPLE_RATE_HZ)
    for scenario in args.scenarios:
        true = [
            read_audio(args.truth / scenario.name / f"po_{part}.flac")[0].mean(axis=1).astype(np.float64)[:n_samples]
            for part in ("piano", "orchestra")
        ]
        for system, found, took_s in estimates(scenario, args.systems, args.blocks):
            row: dict[str, object] = {"scenario": scenario.name, "system": system}
            for part, figures in zip(("piano", "orchestra"), measure(true, found), strict=True):
                row |= {f"{part}_{name}": round(value, 1) for name, value in figures.items()}
            row["cpu_s_per_min"] = round(took_s / (len(found[0]) / SAMPLE_RATE_HZ / 60), 1)
            rows.append(row)
            print_rows([row])
    for system in args.systems:
        of_system = [row for row in rows if row["system"] == system]
        if of_system:
            names = [name for name in of_system[0] if name not in ("scenario", "system")]
            mean = {name: round(float(np.mean([float(str(row[name])) for row in of_system])), 1) for name in names}
            rows.append({"scenario": "mean", "system": system, **mean})
    print_rows(rows)
    if args.record:
        record("separated_parts", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
