"""From MIDI files to weights: render pairs, train on them meanwhile, write the weights, judge them on pairs kept apart.

    python -m training CORPUS --work FOLDER --out FILE.npz

CORPUS holds `index.csv` (columns file, composer, kind) and the folder `midi`.  Everything that takes time is kept in
FOLDER; the same command goes on where it was stopped.  A step takes 0.4 s of one core, a pair 6 to 10 s of another and
1.3 MB of disk; 4000 steps and 297 pairs are some three quarters of an hour on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

import torch

from offline_prep.alignment.alignment_network import AlignmentNet
from training.folds import pools, render_pools
from training.model import exported
from training.render import read_index
from training.report import report
from training.train import Plan, train


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, metavar="CORPUS")
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--steps", type=int, default=Plan().steps)
    parser.add_argument("--judged-pairs", type=int, default=12, metavar="N", help="in each pool that is kept apart")
    args = parser.parse_args()
    torch.set_num_threads(1)
    plan = Plan(steps=args.steps)
    made = pools(read_index(args.corpus), plan.drawn_from(plan.steps), args.judged_pairs)
    folder = args.work / "pairs"
    renderer = multiprocessing.get_context("spawn").Process(target=render_pools, args=(args.corpus, made, folder))
    renderer.start()
    files = {pool.name: [folder / f"{n:05d}.npz" for n in pool.numbers] for pool in made}
    net = AlignmentNet(**exported(train(files.pop("train"), plan, args.work / "training", renderer.is_alive)))
    net.save(args.out)
    renderer.join()
    if renderer.exitcode:
        sys.exit("rendering failed, see above")
    for row in report(files, net):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
