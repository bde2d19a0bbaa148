"""From PyTorch's live network to the weights that the product reads."""

from __future__ import annotations

import numpy as np
import torch

from follower.inference.embedding import EmbeddingNet
from follower.kernels.embedding import Layers
from training.live.model import LiveEar, Tower


def exported(net: LiveEar) -> EmbeddingNet:
    """Both towers."""
    return EmbeddingNet(_layers(net.live), _layers(net.mix))


def _layers(tower: Tower) -> Layers:
    with torch.no_grad():
        arrays = (
            tower.course.weight[:, 0, :, 0],
            tower.course.bias,
            tower.first.weight.T,
            tower.first.bias,
            torch.stack([d.weight[:, 0].T for d in tower.depth]),
            torch.stack([d.bias for d in tower.depth]),
            torch.stack([p.weight.T for p in tower.point]),
            torch.stack([p.bias for p in tower.point]),
            tower.last.weight.T,
            tower.last.bias,
        )
    return Layers(*(np.ascontiguousarray(a.detach().numpy(), np.float32) for a in arrays))
