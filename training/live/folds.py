"""What the live network is trained on and what is kept for judging: works left out by composer, a sound left out."""

from __future__ import annotations

from collections.abc import Sequence

from training.folds import LEFT_OUT_COMPOSERS, Pool, is_known
from training.render import Work
from training.sound import FONTS

LEFT_OUT_SOUND = "csound"


def live_pools(works: Sequence[Work], train_pairs: int, judged_pairs: int) -> tuple[Pool, ...]:
    """The pools, at disjoint numbers; the pool "sounds" has the sound left out for everything."""
    fonts = tuple(f for f in FONTS if f != LEFT_OUT_SOUND)
    known = tuple(w for w in works if is_known(w))
    unknown = tuple(w for w in works if w.composer in LEFT_OUT_COMPOSERS)
    return (
        Pool("train", range(train_pairs), known, fonts),
        Pool("works", range(100_000, 100_000 + judged_pairs), unknown, fonts),
        Pool("sounds", range(200_000, 200_000 + judged_pairs), unknown, (LEFT_OUT_SOUND,)),
    )
