"""training.model: the network in PyTorch is the product's, and its loss is the belief of the precise pass.

Needs the extra `train`; everything else of the training is tested without it.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from offline_prep.alignment import alignment_network as ear

torch = pytest.importorskip("torch", reason="PyTorch (extra `train`) is not installed: the training is NOT tested")

from training import model  # noqa: E402  (it needs PyTorch)
from training.dataset import CONTEXT, SEGMENT, SEGMENTS  # noqa: E402


def test_the_exported_network_is_the_one_that_was_trained() -> None:
    torch.manual_seed(0)
    net = model.Ear()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    level = torch.rand(1, 2 * CONTEXT + 30, 72) * 6
    at = torch.arange(30)
    trained, _ = net(level, at)
    product_net = ear.AlignmentNet(**model.exported(net))
    found = product_net.embed(level[0].numpy())[CONTEXT:-CONTEXT]
    assert found == pytest.approx(trained[0].detach().numpy(), abs=1e-5)
    similarity = net.similarity(trained, trained)[0].detach().numpy()
    mine = float(found[3] @ found[7] - 0.5 * product_net.size_cost * (found[3] @ found[3] + found[7] @ found[7]))
    assert similarity[3, 7] == pytest.approx(mine, abs=1e-4)


def test_the_posterior_counts_every_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three short segments, against the sum over all chains one by one."""
    monkeypatch.setattr(model, "SEGMENTS", 3)
    monkeypatch.setattr(model, "SEGMENT", 4)
    monkeypatch.setattr(model, "USED", torch.arange(12))
    monkeypatch.setattr(model, "PER_SEGMENT", 4)
    monkeypatch.setattr(model, "FAR", 3)
    monkeypatch.setattr(model, "BENT", 1)
    monkeypatch.setattr(model, "DISPLACEMENTS", torch.arange(-1, 2))
    rng = np.random.default_rng(0)
    column = 50.0 + np.cumsum(rng.uniform(1.3, 2.0, 12))
    beside = rng.standard_normal((12, 2 * (3 + 1) + 1))
    found = model.node_log_posterior(
        torch.tensor(beside[None], dtype=torch.float32),
        torch.tensor(column[None], dtype=torch.float32),
        model.lines(),
    )[0].exp()
    kernel = model.lines().numpy()
    run = (column[3::4] - column[::4]) * 4 / 3
    total = np.zeros((4, 7))
    for start in range(7):
        for bends in product((-1, 0, 1), repeat=3):
            nodes = start + np.concatenate([[0], np.cumsum(bends)])
            if nodes.min() < 0 or nodes.max() > 6:
                continue
            score = 0.0
            for n, d in enumerate(bends):
                window = beside[4 * n : 4 * n + 4, nodes[n] : nodes[n] + 3]
                score += float((kernel[d + 1] * window).sum())
                if n:
                    ratio = (run[n] + model.STEP * d) / (run[n - 1] + model.STEP * bends[n - 1])
                    score -= model.STIFFNESS * 4 * abs(float(np.log(ratio)))
            total[np.arange(4), nodes] += np.exp(score)
    assert found.numpy() == pytest.approx(total / total.sum(axis=1, keepdims=True), abs=1e-5)


def test_a_few_steps_make_the_true_path_likelier() -> None:
    """On one window of clicks at random pitches the loss falls below that of chance, log(2 FAR + 1)."""
    rng = np.random.default_rng(0)
    frames = SEGMENT * SEGMENTS + 2 * CONTEXT
    orchestra = np.zeros((1, 840, 72), dtype=np.float32)
    for start in rng.integers(0, 830, 150):
        orchestra[0, start : start + 25, rng.integers(72)] = np.linspace(6.0, 2.0, 25)[: 840 - start]
    column = (CONTEXT + 120 + np.arange(frames - 2 * CONTEXT)).astype(np.float32)
    mix = orchestra[:, 120 : 120 + frames].copy()
    nothing = [np.zeros((1, n, 72, 2), dtype=np.float32) for n in (frames - 2 * CONTEXT, 840 - 2 * CONTEXT)]
    weight = np.ones((1, SEGMENTS + 1), dtype=np.float32)
    plain = [np.zeros((1, n, 144), dtype=np.float32) for n in (frames - 2 * CONTEXT, 840 - 2 * CONTEXT)]
    batch = tuple(torch.from_numpy(x) for x in (mix, orchestra, column[None], weight, *nothing, *plain))
    torch.manual_seed(0)
    net, kernel = model.Ear(), model.lines()
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss, _ = model.losses(net, batch, kernel)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * np.log(2 * model.FAR + 1)
