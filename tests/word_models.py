"""Small models of words, and batches of blocks, for tests."""

import numpy as np
import torch

from skrepr._corpus import Blocks
from skrepr._word_algorithms import ALGORITHMS
from skrepr._word_model import WordModel

N_WORDS, WIDTH, WINDOW = 40, 6, 3
VOCABULARY = [f"word{i}" for i in range(N_WORDS)]


def make_model(algorithm="skipgram", *, negative=4, pooling="mean", subwords=None, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = WordModel(
            VOCABULARY,
            WIDTH,
            algorithm=ALGORITHMS[algorithm],
            window=WINDOW,
            negative=negative,
            pooling=pooling,
            subwords=subwords,
        )
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.7)
    model.generator = torch.Generator().manual_seed(seed)
    return model


def draw_sides(n, size=32, seed=0):
    """Draw how many words before and after each center are in its window: (n, size, 2)."""
    return torch.randint(
        WINDOW + 1, (n, size, 2), generator=torch.Generator().manual_seed(seed + 1)
    )


def make_blocks(n=5, *, sides=None, n_negatives=24, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(n, n_words):
        return torch.randint(N_WORDS, (n, n_words), generator=generator)

    sides = draw_sides(n) if sides is None else sides
    n, size, _ = sides.shape
    return Blocks.of(draw(n, size + 2 * WINDOW), sides, draw(n, n_negatives))


def log_sigmoid(x):
    return -np.logaddexp(0, -x)
