"""A small network that has seen the closed world: is this picture one of the prompt's object?

It is trained when a prompt is first asked about, on renders of that object against renders of everything, in
front of any colour and under some noise. Its reward is the logit, log P(yes) - log P(no).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, interpolate

from distill3d.judge import Judge
from distill3d.world.bank import Bank, bank_of, everything
from distill3d.world.grammar import describe

SIDE = 32  # pixels, of the pictures that it judges
INSTANCES, STATIONS = 4, 64
STEPS, BATCH, RATE = 200, 64, 3e-3
NOISE = 0.1


@dataclass
class World(Judge):
    """A network trained on the closed world's renders, for each prompt anew."""

    def __post_init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}

    def reward(self, pictures: Float[Tensor, "B H W 3"], prompt: str) -> Float[Tensor, "B"]:
        if prompt not in self.networks:
            self.networks[prompt] = trained(prompt).to(pictures.device)
        small = interpolate(pictures.permute(0, 3, 1, 2), (SIDE, SIDE), mode="area")
        return self.networks[prompt](small)[:, 0]


def trained(prompt: str) -> nn.Module:
    """The network for one prompt: the same each time."""
    yes = bank_of(describe(prompt), INSTANCES, STATIONS, width=SIDE, height=SIDE)
    no = everything(width=SIDE, height=SIDE)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        network = _network()
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        answer = torch.cat([torch.ones(BATCH // 2), torch.zeros(BATCH // 2)])
        for _ in range(STEPS):
            pictures = torch.cat([_drawn(bank, BATCH // 2, generator) for bank in (yes, no)])
            loss = binary_cross_entropy_with_logits(network(pictures)[:, 0], answer)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.requires_grad_(False)


def _drawn(bank: Bank, count: int, generator: torch.Generator) -> Float[Tensor, "B 3 H W"]:
    """Some renders in front of any colour, under noise."""
    picked = torch.randint(len(bank.rgba), (count,), generator=generator)
    rgba = bank.rgba[picked].float() / 255
    background = torch.rand(count, 1, 1, 3, generator=generator)
    pictures = rgba[..., :3] + (1 - rgba[..., 3:]) * background
    return (pictures + NOISE * torch.randn(pictures.shape, generator=generator)).permute(0, 3, 1, 2)


def _network() -> nn.Module:
    widths = (3, 16, 32, 64)
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.SiLU()]
    side = SIDE // 2 ** (len(widths) - 1)
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(widths[-1] * side**2, 64), nn.SiLU(), nn.Linear(64, 1)
    )
