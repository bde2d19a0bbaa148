"""What is trained on and what is kept for judging: works left out by composer, sounds left out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.render import Work, make_pair
from training.sound import FONTS

LEFT_OUT_COMPOSERS = frozenset({"brahms", "chopin", "haydn", "rachmaninov", "schumann"})
LEFT_OUT_WORKS = ("bwv1052", "op37", "k466", "kv466")
"""Works of other composers on which the map is judged elsewhere."""
LEFT_OUT_SOUNDS = ("timgm", "csound")


@dataclass(frozen=True)
class Pool:
    """Pairs made of some works with some sounds.

    Attributes:
        name: "train", "works" (composers left out) or "sounds" (composers and sounds left out).
        numbers: numbers of the pairs, see `render.make_pair`.
        works: what they are made of.
        fonts: what they may sound like; those of every other training pair are never left out.
    """

    name: str
    numbers: range
    works: tuple[Work, ...]
    fonts: tuple[str, ...]

    def fonts_of(self, number: int) -> tuple[str, ...]:
        """Soundfonts a pair may be rendered with."""
        if self.name == "train" and number % 2 == 0:
            return tuple(f for f in self.fonts if f not in LEFT_OUT_SOUNDS)
        return self.fonts


def pools(works: Sequence[Work], train_pairs: int, judged_pairs: int) -> tuple[Pool, ...]:
    """The pools, at disjoint numbers."""
    everything = tuple(FONTS)
    known = tuple(w for w in works if is_known(w))
    unknown = tuple(w for w in works if w.composer in LEFT_OUT_COMPOSERS)
    return (
        Pool("train", range(train_pairs), known, everything),
        Pool("works", range(100_000, 100_000 + judged_pairs), unknown, everything),
        Pool("sounds", range(200_000, 200_000 + judged_pairs), unknown, LEFT_OUT_SOUNDS),
    )


def is_known(work: Work) -> bool:
    """May be trained on."""
    return work.composer not in LEFT_OUT_COMPOSERS and not any(w in work.file.lower() for w in LEFT_OUT_WORKS)


def render_pools(corpus: Path, made: Sequence[Pool], folder: Path) -> None:
    """Every pair that is not there yet, those to train on first."""
    for pool in made:
        for number in pool.numbers:
            make_pair(corpus, pool.works, pool.fonts_of(number), number, folder)
        print(f"{len(pool.numbers)} pairs of the pool {pool.name} are there", file=sys.stderr, flush=True)
