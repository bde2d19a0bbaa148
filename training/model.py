"""The network in PyTorch, and its aim: that the precise pass finds the true path and knows how sure it is.

The precise pass (`offline_prep.alignment.path.node_posterior`) sums similarities along chains of straight segments and
takes the sums for log likelihoods.  The loss is minus the log of the belief it then has in the true column of each
node: with it similarities become log odds, and the network learns what tells the true path from all others near it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, conv1d, pad, softplus

from offline_prep.alignment.alignment_network import BIN_EDGES, N_BINS, OFFSETS
from offline_prep.alignment.features import N_PITCHES
from training.dataset import BEND, CONTEXT, REACH, SEGMENT, SEGMENTS

FIRST, SECOND, THIRD, CHANNELS = 16, 32, 24, 3
STIFFNESS = 0.5
"""As in the precise pass."""
STEP = 2
"""Every other frame of the orchestra recording is compared; places beside the truth are counted in these steps."""
USED = torch.cat([SEGMENT * n + torch.arange(1, SEGMENT, 3) for n in range(SEGMENTS)])
"""Rows of the mix that are compared."""
PER_SEGMENT = len(USED) // SEGMENTS
FAR, BENT = REACH // STEP, BEND // STEP
DISPLACEMENTS = torch.arange(-BENT, BENT + 1)
"""Steps by which a segment's path runs away from the truth."""
TARGET_FRAMES = 1.2
"""The true column is taken to be known to this standard deviation: notes are not played together to the millisecond."""
IMPOSSIBLE = -1e4


class Ear(nn.Module):
    """See `offline_prep.alignment.alignment_network`, which computes the same with NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Linear(N_BINS, FIRST)
        self.time_whole = nn.Linear(N_BINS, FIRST, bias=False)
        self.pitch = nn.Linear(FIRST * len(OFFSETS), SECOND, bias=False)
        self.pitch_whole = nn.Linear(FIRST, SECOND, bias=False)
        self.register = nn.Parameter(torch.zeros(N_PITCHES, SECOND))
        self.mixed = nn.Linear(SECOND, THIRD)
        self.attack = nn.Linear(THIRD, CHANNELS)
        self.notes = nn.Linear(THIRD, 2)
        self.log_scale = nn.Parameter(torch.full((CHANNELS,), -1.2))
        self.log_size_cost = nn.Parameter(torch.tensor(-1.0))
        self.log_plain = nn.Parameter(torch.tensor([-3.0, -1.5]))
        nn.init.zeros_(self.time_whole.weight)
        with torch.no_grad():
            self.attack.bias.fill_(-1.5)
            self.notes.bias.fill_(-4.0)

    def hidden(self, level: Tensor, at: Tensor) -> Tensor:
        """(batch, frames, 72) to (batch, len(at), 72, THIRD), at the frames CONTEXT + `at`."""
        edges = torch.tensor(BIN_EDGES)
        total = pad(level.cumsum(1), (0, 0, 1, 0))
        sums = torch.stack([total.index_select(1, CONTEXT + e + at) for e in BIN_EDGES], dim=-1)
        bins = 0.5 * (sums.diff(dim=-1) / edges.diff()) - 1.0
        first = torch.relu(self.time(bins) + self.time_whole(bins.mean(dim=2, keepdim=True)))
        below, above = -min(OFFSETS), max(OFFSETS)
        padded = pad(first, (0, 0, below, above))
        near = torch.cat([padded[:, :, below + o : below + o + N_PITCHES] for o in OFFSETS], dim=-1)
        whole = self.pitch_whole(first.mean(dim=2, keepdim=True))
        return torch.relu(self.mixed(torch.relu(self.pitch(near) + whole + self.register)))

    def forward(self, level: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (batch, len(at), 72 * CHANNELS), and log odds of notes' beginnings (batch, len(at), 72, 2)."""
        hidden = self.hidden(level, at)
        attack = torch.sigmoid(self.attack(hidden)) * softplus(self.log_scale)
        return attack.flatten(2), self.notes(hidden)

    def similarity(self, mix: Tensor, orchestra: Tensor) -> Tensor:
        """(batch, rows, columns): inner product less a share of half of both squared lengths."""
        cost = torch.sigmoid(self.log_size_cost)
        half = 0.5 * cost * mix.square().sum(-1, keepdim=True), 0.5 * cost * orchestra.square().sum(-1)[:, None]
        return mix @ orchestra.transpose(1, 2) - half[0] - half[1]

    def plain_similarity(self, mix: Tensor, orchestra: Tensor) -> Tensor:
        """What harmony and rises add, (batch, rows, columns)."""
        weight = softplus(self.log_plain).repeat_interleave(N_PITCHES)
        return (mix * weight) @ orchestra.transpose(1, 2)


def straightened(similarity: Tensor, column: Tensor) -> Tensor:
    """Similarity beside the truth, (batch, len(USED), 2 (FAR + BENT) + 1), of columns every STEP frames."""
    at = torch.round(column[:, USED] / STEP).long()[:, :, None] + torch.arange(-FAR - BENT, FAR + BENT + 1)
    return similarity.gather(2, at)


def lines() -> Tensor:
    """A kernel that sums along straight lines, (displacements, PER_SEGMENT, 2 BENT + 1); used rows stand for all."""
    row = (USED[:PER_SEGMENT] + 0.5) / SEGMENT
    at = torch.round(row * DISPLACEMENTS[:, None]).long() + BENT
    return nn.functional.one_hot(at, 2 * BENT + 1).float() * (SEGMENT / PER_SEGMENT)


def node_log_posterior(beside: Tensor, column: Tensor, kernel: Tensor) -> Tensor:
    """Log posterior of the place beside the truth at every node, (batch, SEGMENTS + 1, 2 FAR + 1).

    Args:
        beside: from `straightened`.
        column: true columns, (batch, ROWS).
        kernel: from `lines`.
    """
    batch = len(beside)
    parts = beside.reshape(batch * SEGMENTS, PER_SEGMENT, -1)
    score = conv1d(parts, kernel).reshape(batch, SEGMENTS, len(DISPLACEMENTS), -1).transpose(2, 3)
    run = (column[:, SEGMENT - 1 :: SEGMENT] - column[:, ::SEGMENT]) * (SEGMENT / (SEGMENT - 1.0))
    log_run = torch.log((run[:, :, None] + STEP * DISPLACEMENTS).clamp(min=2.0))
    change = STIFFNESS * SEGMENT * (log_run[:, :-1, :, None] - log_run[:, 1:, None, :]).abs()
    index = torch.arange(2 * FAR + 1)[:, None]
    came = index - DISPLACEMENTS
    inside_came = (came >= 0) & (came <= 2 * FAR)
    goes = index + DISPLACEMENTS
    inside_goes = (goes >= 0) & (goes <= 2 * FAR)

    def moved(x: Tensor, at: Tensor, inside: Tensor) -> Tensor:
        got = x.gather(1, at.clamp(0, 2 * FAR).expand(batch, -1, -1))
        return torch.where(inside, got, torch.tensor(IMPOSSIBLE))

    arrived = [moved(score[:, 0], came, inside_came)]
    for n in range(1, SEGMENTS):
        onward = torch.logsumexp(arrived[-1][:, :, :, None] - change[:, n - 1, None], dim=2) + score[:, n]
        arrived.append(moved(onward, came, inside_came))
    leaving = [moved(torch.zeros_like(score[:, 0]), goes, inside_goes) + score[:, -1]]
    for n in range(SEGMENTS - 1, 0, -1):
        later = torch.logsumexp(leaving[-1][:, :, None, :] - change[:, n - 1, None], dim=3)
        leaving.append(moved(later, goes, inside_goes) + score[:, n - 1])
    leaving.reverse()
    nodes = [torch.logsumexp(leaving[0], dim=2)]
    for n in range(1, SEGMENTS):
        both = arrived[n - 1][:, :, :, None] - change[:, n - 1, None] + leaving[n][:, :, None, :]
        nodes.append(torch.logsumexp(both.flatten(2), dim=2))
    nodes.append(torch.logsumexp(arrived[-1], dim=2))
    return torch.log_softmax(torch.stack(nodes, dim=1), dim=2)


def alignment_loss(log_posterior: Tensor, column: Tensor, weight: Tensor) -> Tensor:
    """Mean over nodes of the cross entropy between the true column, blurred, and the posterior."""
    ends = torch.cat([column[:, ::SEGMENT], column[:, -1:] + (column[:, -1:] - column[:, -2:-1])], dim=1)
    off = ends / STEP - torch.round(ends / STEP)
    beside = torch.arange(-FAR, FAR + 1)
    target = torch.softmax(-0.5 * ((beside - off[:, :, None]) * STEP / TARGET_FRAMES) ** 2, dim=2)
    loss = -(target * log_posterior).sum(dim=2)
    return (loss * weight).sum() / weight.sum()


def losses(net: Ear, batch: tuple[Tensor, ...], kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of the alignment, and of the beginnings of notes; `batch` is from `train.collated`."""
    mix, orchestra, column, weight, mix_onsets, orchestra_onsets, mix_plain, orchestra_plain = batch
    compared = torch.arange(0, orchestra.shape[1] - 2 * CONTEXT, STEP)
    left, mix_odds = net(mix, USED)
    right, orchestra_odds = net(orchestra, compared)
    at = column - CONTEXT
    similarity = net.similarity(left, right) + net.plain_similarity(mix_plain[:, USED], orchestra_plain[:, compared])
    posterior = node_log_posterior(straightened(similarity, at), at, kernel)
    notes = notes_loss(mix_odds, mix_onsets[:, USED]) + notes_loss(orchestra_odds, orchestra_onsets[:, compared])
    return alignment_loss(posterior, at, weight), notes


def notes_loss(odds: Tensor, bells: Tensor) -> Tensor:
    """How well beginnings of notes are told."""
    return binary_cross_entropy_with_logits(odds, bells, pos_weight=torch.tensor(4.0))


def exported(net: Ear) -> dict[str, np.ndarray]:
    """Arrays of `offline_prep.alignment.alignment_network.AlignmentNet`."""
    named = {k: v.detach().numpy().astype(np.float32) for k, v in net.state_dict().items()}
    out = {
        "time": named["time.weight"].T,
        "time_whole": named["time_whole.weight"].T,
        "time_bias": named["time.bias"],
        "pitch": named["pitch.weight"].T,
        "pitch_whole": named["pitch_whole.weight"].T,
        "register": named["register"],
        "mixed": named["mixed.weight"].T,
        "mixed_bias": named["mixed.bias"],
        "attack": named["attack.weight"].T,
        "attack_bias": named["attack.bias"],
        "scale": np.log1p(np.exp(named["log_scale"])),
        "plain": np.log1p(np.exp(named["log_plain"])),
        "size_cost": 1.0 / (1.0 + np.exp(-named["log_size_cost"])),
    }
    return {k: np.array(v, dtype=np.float32, order="C") for k, v in out.items()}
