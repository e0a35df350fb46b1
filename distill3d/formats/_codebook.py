"""Codebooks: few values that stand for many. Lloyd's algorithm (1982), on vectors in two levels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

BINS = 65536
NUMBER_ROUNDS, VECTOR_ROUNDS = 60, 6
SAMPLE = 200_000
AT_ONCE = 1 << 16


def of_numbers(values: Float[Tensor, "N"], size: int = 256) -> tuple[Float[Tensor, "K"], Int[Tensor, "N"]]:
    """`size` numbers in increasing order, and which of them each value is nearest to."""
    if not len(values):
        return torch.zeros(size), torch.zeros(0, dtype=torch.int64)
    low, high = values.min(), values.max()
    centres = low + (high - low) * (torch.arange(BINS) + 0.5) / BINS
    counts = torch.histc(values, BINS, float(low), float(high) if high > low else float(low) + 1)
    # Codes start by the cube root of the density, which is nearly where they end, and half evenly.
    density = counts.double().pow(1 / 3)
    spread = torch.cumsum(density + density.sum() / BINS, 0)
    at = (torch.arange(size, dtype=torch.float64) + 0.5) / size * spread[-1]
    book = centres[torch.searchsorted(spread, at).clamp(max=BINS - 1)].double()
    mass, weighted = counts.double(), counts.double() * centres.double()
    for _ in range(NUMBER_ROUNDS):
        which = torch.bucketize(centres.double(), (book[1:] + book[:-1]) / 2)
        total = torch.zeros(size, dtype=torch.float64).index_add_(0, which, mass)
        summed = torch.zeros(size, dtype=torch.float64).index_add_(0, which, weighted)
        book = torch.where(total > 0, summed / total.clamp_min(1), book).sort().values
    book = book.float()
    return book, torch.bucketize(values, (book[1:] + book[:-1]) / 2)


def of_vectors(
    vectors: Float[Tensor, "N D"], size: int, *, seed: int = 0
) -> tuple[Float[Tensor, "K D"], Int[Tensor, "N"]]:
    """At most `size` vectors, and which of them stands for each; a tree of two levels, each as wide.

    With all `size` side by side a million vectors would take minutes; in a tree they take seconds.
    """
    generator = torch.Generator().manual_seed(seed)
    width = max(1, int(size**0.5))
    sample = vectors[torch.randperm(len(vectors), generator=generator)[:SAMPLE]]
    trunk = _lloyd(sample, width, generator)
    branch = _nearest(vectors, trunk)
    books, labels, start = [], torch.zeros(len(vectors), dtype=torch.int64), 0
    for i in range(len(trunk)):
        members = (branch == i).nonzero()[:, 0]
        if not len(members):
            continue
        picked = members[torch.randperm(len(members), generator=generator)[: SAMPLE // width * 4]]
        book = _lloyd(vectors[picked], width, generator)
        labels[members] = start + _nearest(vectors[members], book)
        books.append(book)
        start += len(book)
    return torch.cat(books) if books else vectors[:0], labels


def _lloyd(vectors: Tensor, size: int, generator: torch.Generator) -> Tensor:
    size = min(size, len(vectors))
    book = vectors[torch.randperm(len(vectors), generator=generator)[:size]].clone()
    for _ in range(VECTOR_ROUNDS):
        which = _nearest(vectors, book)
        total = torch.zeros(size).index_add_(0, which, torch.ones(len(vectors)))
        summed = torch.zeros_like(book).index_add_(0, which, vectors)
        book = torch.where(total[:, None] > 0, summed / total[:, None].clamp_min(1), book)
    return book


def _nearest(vectors: Tensor, book: Tensor) -> Tensor:
    """Minimise ‖v − b‖², without the ‖v‖² that all have in common."""
    half = 0.5 * book.square().sum(-1)
    parts = [(half - part @ book.T).argmin(-1) for part in vectors.split(AT_ONCE)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
