"""training.live.model: the network in PyTorch is the product's; its scores are summed along the true path.

Needs the extra `train`; the network itself is tested without it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch (extra `train`) is not installed: the training is NOT tested")

from follower.inference.embedding import LiveEmbedder, embed_mix  # noqa: E402  (after PyTorch is known to be there)
from training.live import model  # noqa: E402
from training.live.export import exported  # noqa: E402


def _shaken() -> model.LiveEar:
    torch.manual_seed(0)
    net = model.LiveEar()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def test_the_exported_network_is_the_one_that_was_trained() -> None:
    net, level = _shaken(), 4 * torch.rand(60, 88)
    product_net = exported(net)
    with torch.no_grad():
        live, mix = net.live(level).numpy(), net.mix(level).numpy()
    embedder = LiveEmbedder(product_net)
    np.testing.assert_allclose([embedder.embed(x) for x in level.numpy()], live, atol=1e-5)
    np.testing.assert_allclose(embed_mix(level.numpy(), product_net).T, mix, atol=1e-5)


def test_the_live_tower_hears_nothing_of_the_future_and_the_other_a_third_of_a_second() -> None:
    net, level = _shaken(), 4 * torch.rand(80, 88)
    changed = level.clone()
    changed[40] += 1.0
    with torch.no_grad():
        live = (net.live(changed) - net.live(level)).abs().amax(1) > 0
        mix = (net.mix(changed) - net.mix(level)).abs().amax(1) > 0
    assert torch.nonzero(live)[:, 0].tolist() == list(range(40, 40 + 33))
    assert torch.nonzero(mix)[:, 0].tolist() == list(range(40 - 16, 40 + 17))


def test_scores_are_those_round_the_truth_and_add_up_along_it() -> None:
    scores = torch.arange(40.0).reshape(4, 10)
    at = torch.tensor([2.2, 3.4, 4.6, 9.0])
    near = model.around(scores, at, torch.arange(-1, 2))
    assert near.tolist() == [[1, 2, 3], [12, 13, 14], [24, 25, 26], [38, 39, 30]]
    keep = math.exp(-1 / model.MEMORY_FRAMES)
    summed = model.along(near)
    assert summed[2, 1].item() == pytest.approx(25 + keep * 13 + keep**2 * 2, rel=1e-6)


def test_the_truth_surprises_least_where_it_is() -> None:
    offsets = torch.arange(-5, 6)
    at = torch.tensor([7.0])
    surprises = [
        model.surprise(-0.5 * ((offsets[None] - k) / model.SOFT_FRAMES) ** 2, at, offsets).item() for k in range(-3, 4)
    ]
    assert int(np.argmin(surprises)) == 3
    spread = math.log(model.SOFT_FRAMES * math.sqrt(2 * math.pi * math.e))
    assert surprises[3] == pytest.approx(spread, abs=0.01)  # the entropy of the target itself
