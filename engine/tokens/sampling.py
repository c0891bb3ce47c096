"""
Choose the next token from logits: the usual filters, in the order of Chatterbox and of Hugging
Face's `generate`.

The repetition penalty (Keskar et al. 2019) goes over all tokens so far, then temperature, min-p
(Nguyen et al. 2024), top-p (Holtzman et al. 2019), softmax, and one draw.
With the same seed and the same logits the tokens are the same, and those of an engine that draws
with `torch.multinomial` from the same seed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is chosen."""

    temperature: float = 0.8
    """Divides the logits; 0 is greedy, and draws nothing."""
    top_p: float = 1.0
    """Keep the smallest set of tokens of at least this probability; 1 keeps all."""
    min_p: float = 0.05
    """Drop tokens of less than this part of the most probable one's probability; 0 drops none."""
    repetition_penalty: float = 1.2
    """Divides positive logits of earlier tokens, and multiplies negative ones; 1 is none."""


class TokenSampler:
    """Chooses the tokens of one sequence. Public: `seen`, the tokens so far (n,)."""

    def __init__(self, sampling: Sampling, seed: int, first: Tensor) -> None:
        """`first` (n,) long: tokens that the repetition penalty counts as said."""
        self.sampling = sampling
        self.seen = first
        self._generator = torch.Generator(first.device).manual_seed(seed)

    def choose(self, logits: Tensor) -> Tensor:
        """Return the next token, (1,) long, for logits (V,), and hold it as said."""
        token = self._draw(filtered(logits.float(), self.seen, self.sampling))
        self.seen = torch.cat((self.seen, token))
        return token

    def _draw(self, logits: Tensor) -> Tensor:
        if self.sampling.temperature == 0.0:
            return logits.argmax(-1, keepdim=True)
        return torch.multinomial(logits.softmax(-1), 1, generator=self._generator)


def filtered(logits: Tensor, seen: Tensor, sampling: Sampling) -> Tensor:
    """Return the logits (V,) as the filters leave them; a token that is out has -infinity."""
    logits = penalised(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0.0:
        return logits
    if sampling.temperature != 1.0:
        logits = logits / sampling.temperature
    return keep_top_p(keep_min_p(logits, sampling.min_p), sampling.top_p)


def penalised(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Make the tokens of `seen` (n,) less likely, each once however often it occurs."""
    if penalty == 1.0:
        return logits
    said = logits[seen]
    return logits.index_put((seen,), torch.where(said < 0, said * penalty, said / penalty))


def keep_min_p(logits: Tensor, min_p: float) -> Tensor:
    """Drop tokens whose probability is below `min_p` times the largest."""
    if min_p == 0.0:
        return logits
    probabilities = logits.softmax(-1)
    # the most probable token stays, whatever min_p
    floor = min_p * probabilities.max()
    kept = (probabilities >= floor) | (logits == logits.max())
    return logits.masked_fill(~kept, -torch.inf)


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Drop the least probable tokens, of at most 1 - `top_p` together."""
    if top_p >= 1.0:
        return logits
    ascending, order = logits.sort(descending=False)
    dropped = ascending.softmax(-1).cumsum(-1) <= 1.0 - top_p
    dropped[-1] = False
    return logits.masked_fill(torch.empty_like(dropped).scatter(0, order, dropped), -torch.inf)
