"""Train the live network: seeded, with checkpoints it goes on from; memory holds one pair at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.live.dataset import Heard, crop, read_pair, vary
from training.live.model import LiveEar, losses
from training.train import step_size

CHECKPOINT_STEPS = 20
CROP_FRAMES = 1000
"""Of the live piano, 23 s; the mix is whole."""
FEWEST_JUDGED = 100
SHARES = torch.tensor([1.0, 0.5, 0.6, 0.4])
"""How much each loss of `model.losses` counts."""


@dataclass(frozen=True)
class LivePlan:
    """A run of training.

    Attributes:
        steps: steps of the optimiser.
        batch: pairs per step.
        rate: step size at its highest; it rises for 50 steps and falls to 0 along a cosine.
        seed: of the weights and of the pairs drawn.
    """

    steps: int = 4000
    batch: int = 3
    rate: float = 3e-3
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """Step size."""
        return step_size(self.rate, step, self.steps, rising_steps=50)


def tensors(pair: Heard) -> tuple[Tensor, ...]:
    """What `model.losses` takes."""
    arrays = (pair.live, pair.mix, pair.at, pair.presence, pair.judged, pair.plain * pair.presence[:, None])
    return tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays)


def train(files: Sequence[Path], plan: LivePlan, folder: Path) -> LiveEar:
    """Train on the pairs in `files`; goes on from `folder`'s checkpoint when there is one."""
    torch.manual_seed(plan.seed)
    net = LiveEar()
    scalars = [net.log_scale, net.log_plain]
    optimiser = torch.optim.AdamW(
        [{"params": [*net.live.parameters(), *net.mix.parameters()]}, {"params": scalars, "weight_decay": 0.0}],
        lr=plan.rate,
        weight_decay=1e-4,
    )
    checkpoint = folder / "checkpoint.pt"
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done = int(state["done"])
    recent: list[Tensor] = []
    begin_s = time.monotonic()
    for step in range(done, plan.steps):
        for group, faster in zip(optimiser.param_groups, (1.0, 5.0), strict=True):
            group["lr"] = plan.rate_at(step) * faster
        rng = np.random.default_rng([plan.seed, step])
        optimiser.zero_grad()
        for index in rng.choice(len(files), plan.batch, replace=False):
            pair = crop(read_pair(files[int(index)]), CROP_FRAMES, rng)
            if pair.judged.sum() < FEWEST_JUDGED:
                continue
            found = losses(net, *tensors(vary(pair, rng)))
            (found @ SHARES / plan.batch).backward()
            recent.append(found.detach())
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == plan.steps:
            mean = torch.stack(recent).mean(0).tolist()
            recent.clear()
            speed = (time.monotonic() - begin_s) / (step + 1 - done)
            scale = [round(x, 2) for x in torch.exp(net.log_scale).tolist()]
            figures = " ".join(f"{x:.3f}" for x in mean)
            said = f"step {step + 1}: losses {figures}, scales {scale}, plain {net.log_plain.exp().item():.2f}"
            print(f"{said}, {speed:.2f} s a step", file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = checkpoint.with_suffix(".tmp")
            torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "done": step + 1}, unfinished)
            unfinished.replace(checkpoint)
    return net
