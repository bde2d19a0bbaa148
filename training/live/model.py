"""The live network in PyTorch: a causal embedding of the live piano, another of the full mix, and the loss.

The score of a place is the product of the two.  What the tempo filter makes of scores is their sum over the newest
hops along a path, so that is what has to be right: neighbouring hops share most of what they hear.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SEMITONES = 88
FILTERS = 4
"""Courses of a semitone that are told apart: begins, sounds, dies away."""
COURSE = 9
WIDTH = 72
BLOCKS = 3
REACH = 9
"""Frames that a block looks at."""
SIZE = 48
"""Numbers of an embedding."""
INPUT_SCALE = 0.25

FINE = 86
"""Frames to both sides of the truth that it has to stand out from: 2 s."""
COARSE_STEP = 5
JUDGED_STEP = 3
"""Every so many hops is judged; all of them are heard."""
SOFT_FRAMES = 0.9
"""Standard deviation of the target: 20 ms."""
MEMORY_FRAMES = 12.0
"""Over so many hops the evidence along a path is added up: .28 s, about what the filter's tempo changes leave of it."""


class Tower(nn.Module):
    """Embeddings of compressed amplitudes (frames, 88): (frames, SIZE), of norm below 1."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.course = nn.Conv2d(1, FILTERS, (COURSE, 1))
        self.first = nn.Linear(FILTERS * SEMITONES, WIDTH)
        self.depth = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, REACH, groups=WIDTH) for _ in range(BLOCKS))
        self.point = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(BLOCKS))
        self.last = nn.Linear(WIDTH, SIZE)

    def begin(self) -> None:
        """Start from the newest (or middle) frame and its rises, looking at hardly anything else."""
        with torch.no_grad():
            self._begin()

    def _begin(self) -> None:
        now = COURSE - 1 if self.causal else COURSE // 2
        self.course.weight.mul_(0.1)
        self.course.bias.zero_()
        for k, before in enumerate((0, 1, 2, 4)):
            self.course.weight[k, 0, now, 0] += 1.0
            if before:
                self.course.weight[k, 0, now - before, 0] -= 1.0
        for depth in self.depth:
            depth.weight.mul_(0.1)
            depth.weight[:, 0, REACH - 1 if self.causal else REACH // 2] += 1.0

    def _padded(self, x: Tensor, taps: int) -> Tensor:
        """Frames first."""
        before = taps - 1 if self.causal else taps // 2
        return functional.pad(x.T, (before, taps - 1 - before)).T

    def forward(self, level: Tensor) -> Tensor:
        """Embeddings of all frames; before and behind them there is nothing."""
        x = self._padded(level * INPUT_SCALE, COURSE)
        x = torch.relu(self.course(x[None, None]))[0]
        x = torch.relu(self.first(x.permute(1, 0, 2).flatten(1)))
        for depth, point in zip(self.depth, self.point, strict=True):
            y = depth(self._padded(x, REACH).T[None])[0].T
            x = x + torch.relu(point(y))
        x = self.last(x)
        return x * torch.rsqrt(1 + (x * x).sum(1, keepdim=True))


class LiveEar(nn.Module):
    """Both towers and the weights of their scores.

    Attributes:
        log_scale: of the network's scores as evidence of a path, beside the plain observation, and alone; and of a
            single hop.
        log_plain: weight of the plain observation beside it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = Tower(causal=True)
        self.mix = Tower(causal=False)
        self.mix.load_state_dict(self.live.state_dict())
        self.live.begin()
        self.mix.begin()
        self.log_scale = nn.Parameter(torch.log(torch.tensor([3.0, 5.0, 15.0])))
        self.log_plain = nn.Parameter(torch.log(torch.tensor(1.0)))


def around(scores: Tensor, at: Tensor, offsets: Tensor) -> Tensor:
    """Scores (m, n) at so many frames from the truth, (m, offsets); beyond an end it goes on at the other."""
    centre = torch.round(at).long()
    return scores.gather(1, (centre[:, None] + offsets[None]) % scores.shape[1])


def far_offsets(frames: int) -> Tensor:
    """Offsets that reach every `COARSE_STEP`-th frame of a mix, and all next to the truth."""
    far = torch.arange(-(frames // 2), frames - frames // 2)
    return torch.cat([torch.arange(-3, 4), far[(far.abs() > 3) & (far % COARSE_STEP == 0)]])


def along(scores: Tensor) -> Tensor:
    """Sum over the newest hops, each further one counting less."""
    keep = math.exp(-1 / MEMORY_FRAMES)
    for k in (1, 2, 4, 8, 16):
        scores = scores + keep**k * functional.pad(scores, (0, 0, k, 0))[:-k]
    return scores


def surprise(logits: Tensor, at: Tensor, offsets: Tensor) -> Tensor:
    """Cross-entropy of the softened truth, (m,).

    Args:
        logits: (m, offsets).
        at: (m,) the truth in fractions of a frame.
        offsets: frames from the rounded truth.
    """
    away = offsets[None] - (at - torch.round(at))[:, None]
    target = torch.softmax(-0.5 * (away / SOFT_FRAMES) ** 2, 1)
    return torch.logsumexp(logits, 1) - (target * logits).sum(1)


def losses(
    net: LiveEar, live: Tensor, mix: Tensor, at: Tensor, presence: Tensor, judged: Tensor, plain: Tensor
) -> Tensor:
    """Four mean cross-entropies: near, of paths with and without the plain observation; far, of paths with it, of hops.

    The arguments are the fields of `dataset.Heard`.
    """
    scores = (net.live(live) @ net.mix(mix).T) * presence[:, None]
    together, alone, hop = torch.exp(net.log_scale)
    n = mix.shape[0]
    near = torch.arange(-FINE, FINE + 1)
    far = far_offsets(n)
    judged_rows = torch.nonzero(judged)[:, 0][::JUDGED_STEP]
    weight = presence[judged_rows] / presence[judged_rows].sum()
    net_near, net_far = around(scores, at, near), around(scores, at, far)
    beside = torch.exp(net.log_plain)
    logits = (
        (along(together * net_near + beside * around(plain, at, near)), near),
        (along(alone * net_near), near),
        (along(together * net_far + beside * around(plain, at, far)), far),
        (hop * net_far, far),
    )
    rows = [(x[judged_rows], offsets) for x, offsets in logits]
    return torch.stack([(weight * surprise(x, at[judged_rows], offsets)).sum() for x, offsets in rows])
