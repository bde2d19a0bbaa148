"""Train the network: seeded, with checkpoints it goes on from; memory holds one batch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.dataset import Pairs, Window
from training.model import Ear, lines, losses

CHECKPOINT_STEPS = 100


def step_size(highest: float, step: int, steps: int, rising_steps: int) -> float:
    """Step size of a run: it rises evenly, then falls to 0 along a cosine."""
    return float(highest * min(1.0, (step + 1) / rising_steps) * (0.5 + 0.5 * np.cos(np.pi * step / steps)))


@dataclass(frozen=True)
class Plan:
    """A run of training.

    Attributes:
        steps: steps of the optimiser.
        batch: windows per step.
        rate: step size at its highest; it rises for 100 steps and falls to 0 along a cosine.
        notes: weight of the notes' beginnings at the first step; it falls to a tenth of it by half of the run.
        seed: of the weights and of the windows drawn.
        pairs: the first step draws from this many pairs.
        steps_per_pair: another pair is drawn from every so many steps, so that rendering and training go side by side
            and the result is the same as if all had been there from the beginning.
    """

    steps: int = 4000
    batch: int = 4
    rate: float = 3e-3
    notes: float = 10.0
    seed: int = 0
    pairs: int = 30
    steps_per_pair: int = 15

    def rate_at(self, step: int) -> float:
        """Step size; a plain float, or the checkpoint could not be read without pickle."""
        return step_size(self.rate, step, self.steps, rising_steps=100)

    def drawn_from(self, step: int) -> int:
        """How many pairs a step draws from."""
        return self.pairs + step // self.steps_per_pair


def train(files: Sequence[Path], plan: Plan, folder: Path, coming: Callable[[], bool] = lambda: False) -> Ear:
    """Train on the pairs in `files`; goes on from `folder`'s checkpoint when there is one.

    Args:
        files: the pairs, those that are drawn from the first steps on first.
        plan: see `Plan`.
        folder: where the checkpoint is kept.
        coming: missing pairs are waited for while this says that they are being rendered.

    Raises:
        FileNotFoundError: a pair is missing and did not come.
    """
    torch.manual_seed(plan.seed)
    net, kernel = Ear(), lines()
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=1e-4)
    checkpoint = folder / "checkpoint.pt"
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done = int(state["done"])
    pairs = Pairs(files, coming)
    recent: list[tuple[float, float]] = []
    begin_s = time.monotonic()
    for step in range(done, plan.steps):
        share = step / plan.steps
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step)
        rng = np.random.default_rng([plan.seed, step])
        batch = collated([pairs.draw(rng, among=min(plan.drawn_from(step), len(files))) for _ in range(plan.batch)])
        alignment, notes = losses(net, batch, kernel)
        loss = alignment + plan.notes * max(0.1, 1.0 - 1.8 * share) * notes
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        recent.append((alignment.item(), notes.item()))
        if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == plan.steps:
            mean = np.mean(recent[-CHECKPOINT_STEPS:], axis=0)
            speed = (time.monotonic() - begin_s) / (step + 1 - done)
            said = f"step {step + 1}: loss {mean[0]:.3f}, notes {mean[1]:.4f}, {speed:.2f} s a step"
            print(said, file=sys.stderr, flush=True)
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = checkpoint.with_suffix(".tmp")
            torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "done": step + 1}, unfinished)
            unfinished.replace(checkpoint)
    return net


def collated(windows: list[Window]) -> tuple[Tensor, ...]:
    """Mix, orchestra, column, weight, onsets of mix and orchestra, plain features of mix and orchestra."""
    columns = (
        [w.mix for w in windows],
        [w.orchestra for w in windows],
        [w.column for w in windows],
        [w.weight for w in windows],
        [w.onsets[0] for w in windows],
        [w.onsets[1] for w in windows],
        [w.plain[0] for w in windows],
        [w.plain[1] for w in windows],
    )
    return tuple(torch.from_numpy(np.stack(c)) for c in columns)


def mean_loss(net: Ear, files: Sequence[Path], windows: int, seed: int = 1) -> float:
    """Alignment loss over windows of the pairs, unvaried; that of chance is log(2 FAR + 1) = 3.71."""
    rng, kernel = np.random.default_rng(seed), lines()
    pairs = Pairs(files)
    with torch.no_grad():
        found = [float(losses(net, collated([pairs.draw(rng, varied=False)]), kernel)[0]) for _ in range(windows)]
    return float(np.mean(found))
