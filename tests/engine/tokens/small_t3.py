"""A small T3 with random weights, and texts for it: no voice, for tests alone."""

import torch

from voxgate.engine.tokens.generate import SpeechText
from voxgate.engine.tokens.t3 import T3, T3Shape


def random_t3(*, pointer: bool = True, seed: int = 0) -> T3:
    """Return a T3 of 2 layers whose logits are far apart."""
    torch.manual_seed(seed)
    shape = T3Shape(
        codes=2000, phones=51, speakers=3, width=32, depth=2, heads=2, hidden=48,
        advances=4 if pointer else 1,
    )  # fmt: skip
    model = T3(shape).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.4)
        elif "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def some_text(phones: int = 12, seed: int = 3, prompt: int = 0) -> SpeechText:
    """Return a text of random phones between pauses, with a prompt of random codes."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, 51, (phones,), generator=generator)
    ids[0] = ids[-1] = 1
    return SpeechText(
        phones=ids, speaker=1 + seed % 3, question=1, seed=seed,
        prompt=torch.randint(2000, (prompt,), generator=generator),
    )  # fmt: skip
