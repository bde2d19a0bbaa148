"""From MIDI files to weights: render pairs, train on them meanwhile, write the weights, judge them on pairs kept apart.

    python -m training CORPUS --work FOLDER --out offline_prep/alignment/ear.npz

CORPUS holds `index.csv` (columns file, composer, kind) and the folder `midi`.  Everything that takes time is kept in
FOLDER; the same command goes on where it was stopped.  With the defaults it takes about an hour on two cores, 2 GB of
memory and 0.3 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from pathlib import Path

import torch

from offline_prep.alignment.ear import Ear
from training.folds import Pool, pools
from training.model import exported
from training.render import make_pair, read_index
from training.report import report
from training.train import Plan, train


def render(corpus: Path, made: tuple[Pool, ...], folder: Path) -> None:
    """Every pair that is not there yet, those to train on first."""
    for pool in made:
        for number in pool.numbers:
            make_pair(corpus, pool.works, pool.fonts_of(number), number, folder)
        print(f"{len(pool.numbers)} pairs of the pool {pool.name} are there", file=sys.stderr, flush=True)


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
    renderer = multiprocessing.get_context("spawn").Process(target=render, args=(args.corpus, made, folder))
    renderer.start()
    files = {pool.name: [folder / f"{n:05d}.npz" for n in pool.numbers] for pool in made}
    net = Ear(**exported(train(files.pop("train"), plan, args.work / "training", renderer.is_alive)))
    net.save(args.out)
    renderer.join()
    if renderer.exitcode:
        sys.exit("rendering failed, see above")
    for row in report(files, net):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
