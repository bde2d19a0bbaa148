"""From MIDI files to the weights of the live network: render pairs, train, write the weights, judge them.

    python -m training.live CORPUS --samples FOLDER --work FOLDER --out FILE.npz

CORPUS holds `index.csv` (columns file, composer, kind) and the folder `midi`; `--samples` the recorded piano of
`sampled_piano.py`. Everything that takes time is kept in the folder `--work`; the same command goes on where it was
stopped. A pair takes 5 s of one core and 1 MB of disk, a step 0.5 s: 120 pairs and 2000 steps are half an hour.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import torch

from training.live.export import exported
from training.live.folds import live_pools
from training.live.render import make_live_pair
from training.live.report import report
from training.live.train import LivePlan, train
from training.render import read_index


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, metavar="CORPUS")
    parser.add_argument("--samples", type=Path, metavar="FOLDER", help="of the recorded piano; none without it")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--steps", type=int, default=LivePlan().steps)
    parser.add_argument("--pairs", type=int, default=120, metavar="N", help="to train on")
    parser.add_argument("--judged-pairs", type=int, default=8, metavar="N", help="in each pool that is kept apart")
    args = parser.parse_args()
    torch.set_num_threads(1)
    files: dict[str, list[Path]] = {}
    for pool in live_pools(read_index(args.corpus), args.pairs, args.judged_pairs):
        make = partial(make_live_pair, args.corpus, pool.works, pool.fonts)
        samples = args.samples if pool.name != "sounds" else None
        files[pool.name] = []
        for n in pool.numbers:
            files[pool.name].append(make(n, args.work / "pairs", samples))
            print(f"pair {n} is there", flush=True)
    net = train(files["train"], LivePlan(steps=args.steps), args.work / "training")
    exported(net).save(args.out)
    for row in report(net, files):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
