"""
Option checks of sampling: temperature, repetition penalty, and the set that tokens are drawn from,
each measured from the draws.

Known are the logits that a sampler got, and the probabilities that torch drew from. Of tokens that
were not said before, the log-probabilities are the logits divided by the temperature. What is
missing was left out by min-p or top-p, and each leaves a trace of its own: a ratio to the most
probable token, or a sum. `token_checks` lists the checks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from voxgate.harness.targets.engine.observer_registry import Observation
from voxgate.harness.targets.protocol import Options

SEEN = 1e-20
"""Least probability of a token that is counted: below, fp32 has few digits, or none."""
CLOSE = 1e-4
"""Absolute error of a sum of fp32 probabilities; likewise the relative one of a ratio."""
LARGE_SHARE = 0.05
"""
Of the largest logit of a draw: the factor of a penalty is measured at logits that are not smaller.
"""
FACTOR_TOLERANCE = 0.01
"""Of a temperature and of a repetition penalty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSeen:
    """One token that was drawn."""

    row: int
    """The text, of those of its generation."""
    logits: Tensor
    """That the sampler got, (V,) fp32."""
    said: tuple[int, ...]
    """Tokens of the row before it."""
    probabilities: Tensor | None
    """That torch drew from; None if it did not draw."""
    drawn: int | None
    """By torch."""
    token: int


class HasDraws(Protocol):
    """A record of a synthesis with its draws."""

    @property
    def draws(self) -> Sequence[DrawSeen]:
        """All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSeen:
    """
    The tokens that were kept in all draws, as values of min-p and top-p that explain them.

    floors: (largest ratio that was left out, least ratio that was kept), of the most probable one's
    probability.
    sums: (probability of the tokens before the last that was kept, and before the first that was
    left out): top-p is above the first and at most the second, infinity if none was left out.
    below: tokens that were kept although min-p leaves them out.
    min_p_shows: whether min-p alone left a token out.
    """

    floors: tuple[float, float]
    sums: tuple[float, float]
    below: int
    min_p_shows: bool

    def explained_by(self, top_p: float) -> bool:
        """Whether all that min-p keeps, and a top-p leaves out, was left out."""
        least, most = self.sums
        return not self.below and least - CLOSE <= top_p <= most + CLOSE

    @property
    def by_any_top_p(self) -> bool:
        """Whether some top-p explains all draws."""
        return not self.below and self.sums[0] <= self.sums[1] + CLOSE

    @property
    def by_any_floor(self) -> bool:
        """Whether some min-p alone explains all draws."""
        return self.floors[0] <= self.floors[1] * (1.0 + CLOSE)


def _said(draw: DrawSeen) -> Tensor:
    said = torch.zeros(len(draw.logits), dtype=torch.bool)
    said[list(draw.said)] = True
    return said


def _kept(draw: DrawSeen) -> Tensor:
    assert draw.probabilities is not None
    return draw.probabilities.reshape(-1) > SEEN


def distributed(draws: Sequence[DrawSeen]) -> list[DrawSeen]:
    """Return the draws that torch made from probabilities."""
    return [draw for draw in draws if draw.probabilities is not None]


def is_greedy(draws: Sequence[DrawSeen], penalty: float) -> bool:
    """Whether every token is the most probable one after a repetition penalty."""
    return all(
        bool(_penalised(draw, penalty)[draw.token] >= _penalised(draw, penalty).max())
        for draw in draws
    )


def temperature_of(draws: Sequence[DrawSeen]) -> float | None:
    """Return the temperature by least squares; None where no draw had two tokens unsaid before."""
    squares = products = 0.0
    for draw in distributed(draws):
        fresh = _kept(draw) & ~_said(draw)
        if int(fresh.sum()) < 2:
            continue
        assert draw.probabilities is not None
        x = draw.logits[fresh].double()
        y = draw.probabilities.reshape(-1)[fresh].double().log()
        x, y = x - x.mean(), y - y.mean()
        squares += float(x.square().sum())
        products += float((x * y).sum())
    return squares / products if products > 0.0 else None


def penalty_of(draws: Sequence[DrawSeen], temperature: float) -> float | None:
    """Return the median factor of tokens said before; None where none was among those kept."""
    factors: list[float] = []
    for draw in distributed(draws):
        kept, said = _kept(draw), _said(draw)
        large = draw.logits.abs() >= LARGE_SHARE * draw.logits[kept].abs().max()
        fresh, again = kept & ~said, kept & said & large
        if not bool(fresh.any()) or not bool(again.any()):
            continue
        assert draw.probabilities is not None
        logs = draw.probabilities.reshape(-1).double().log()
        best = int(torch.where(fresh, logs, -torch.inf).argmax())
        logits = draw.logits.double()
        penalised = temperature * (logs[again] - logs[best]) + logits[best]
        before = logits[again]
        ratio = torch.where(before > 0, before / penalised, penalised / before)
        factors += ratio.tolist()
    return median(factors) if factors else None


def kept_of(
    draws: Sequence[DrawSeen], *, temperature: float, penalty: float, min_p: float, top_p: float
) -> KeptSeen | None:
    """
    Return the tokens that were kept; None where torch drew none. `top_p` tells only which tokens
    min-p alone left out.
    """
    floors, sums, below, shows = [0.0, math.inf], [0.0, math.inf], 0, False
    for draw in distributed(draws):
        shares = (_penalised(draw, penalty).double() / temperature).softmax(-1)
        order = shares.argsort(descending=True)
        shares, kept = shares[order], _kept(draw)[order]
        known = shares > SEEN
        ratios = shares / shares[0]
        out = known & ~kept
        low = known & (ratios < min_p * (1.0 - CLOSE))
        low[0] = False
        plain = shares.cumsum(-1) - shares
        floors[0] = max(floors[0], _most(ratios, out))
        floors[1] = min(floors[1], float(ratios[kept & known].min()))
        below += int((kept & low).sum())
        shows = shows or bool((out & low & (plain < top_p - CLOSE)).any())
        left = torch.where(low, 0.0, shares)
        before = (left.cumsum(-1) - left) / left.sum()
        clear = known & (ratios > min_p * (1.0 + CLOSE))
        sums[0] = max(sums[0], _most(before, kept & clear))
        sums[1] = min(sums[1], float(torch.where(out & clear, before, math.inf).min()))
    if not distributed(draws):
        return None
    return KeptSeen(
        floors=(floors[0], floors[1]),
        sums=(sums[0], sums[1]),
        below=below,
        min_p_shows=shows,
    )


def _most(values: Tensor, among: Tensor) -> float:
    return float(torch.where(among, values, 0.0).max())


def _penalised(draw: DrawSeen, penalty: float) -> Tensor:
    """Return the logits with a repetition penalty, each token that was said once."""
    lowered = torch.where(draw.logits < 0, draw.logits * penalty, draw.logits / penalty)
    return torch.where(_said(draw), lowered, draw.logits)


def _is_drawn(draw: DrawSeen) -> bool:
    """Whether the token is the one that torch drew, from a set that it belongs to."""
    kept = draw.probabilities is not None and bool(draw.probabilities.flatten()[draw.token] > 0)
    return kept and draw.token == draw.drawn


def _measured(options: Options, seen: HasDraws) -> tuple[float, float]:
    """
    Return temperature and repetition penalty as measured; those that were asked for where they
    cannot be told apart from them.
    """
    asked = float(options["temperature"]) or 1.0
    found = temperature_of(seen.draws)
    temperature = asked if found is None or _near(found, asked) else found
    penalty = float(options["repetition_penalty"])
    factor = penalty_of(seen.draws, temperature)
    return temperature, penalty if factor is None or _near(factor, penalty) else factor


def _near(found: float, asked: float) -> bool:
    return abs(found - asked) <= FACTOR_TOLERANCE * asked


def temperature(options: Options, seen: HasDraws) -> Observation:
    """Check the temperature by the probabilities, and that each token is the one drawn."""
    requested, draws = float(options["temperature"]), seen.draws
    drawn = distributed(draws)
    if not drawn:
        penalties = (float(options["repetition_penalty"]), 1.0)
        greedy = any(is_greedy(draws, penalty) for penalty in penalties)
        return Observation(
            observed="nothing was drawn"
            + (", every token is the most probable one" if greedy else ""),
            in_effect=bool(draws) and greedy if not requested else False if greedy else None,
            reason="torch's draws, and the logits of every token",
        )
    found = temperature_of(draws)
    honest = len(drawn) == len(draws) and all(map(_is_drawn, draws))
    if found is None:
        return Observation(
            observed=f"{len(drawn)} draws of one token",
            in_effect=None if honest and requested else False,
            reason="a set of one token has the same probability at every temperature",
        )
    return Observation(
        observed=f"{found:.3f} in {len(drawn)} draws" + ("" if honest else ", not always heeded"),
        in_effect=honest and requested > 0 and _near(found, requested),
        reason="logits that samplers got, divided by the logarithms of what torch drew from",
    )


def _kept_by(options: Options, seen: HasDraws, min_p: float) -> KeptSeen | None:
    temperature, penalty = _measured(options, seen)
    top_p = float(options["top_p"])
    return kept_of(seen.draws, temperature=temperature, penalty=penalty, min_p=min_p, top_p=top_p)


def _filters(options: Options, seen: HasDraws) -> tuple[bool, bool]:
    """
    Whether top-p and min-p explain what was left out. If one of them alone does not, the other is
    tried with it left out, or at any value.
    """
    min_p, top_p = float(options["min_p"]), float(options["top_p"])
    kept, plain = _kept_by(options, seen, min_p), _kept_by(options, seen, 0.0)
    assert kept is not None and plain is not None
    if kept.explained_by(top_p):
        return True, True
    if min_p and plain.explained_by(top_p):
        return True, False
    if kept.by_any_top_p and not (top_p == 1.0 and plain.by_any_floor):
        return False, True
    return top_p == 1.0 and plain.by_any_floor, False


def top_p(options: Options, seen: HasDraws) -> Observation:
    """Check top-p by what was left out."""
    requested = float(options["top_p"])
    kept = _kept_by(options, seen, float(options["min_p"]))
    if kept is None:
        return _undrawn(options)
    least, most = kept.sums
    holds = _filters(options, seen)[0]
    unseen = holds and requested < 1.0 and most == math.inf
    return Observation(
        observed=f"more than {least:.4f}, at most {min(most, 1.0):.4f}",
        in_effect=None if unseen else holds,
        reason="it left out no token that could be drawn"
        if unseen
        else "probability before the last token that was kept, and before the first left out",
    )


def min_p(options: Options, seen: HasDraws) -> Observation:
    """Check min-p by what was left out."""
    requested = float(options["min_p"])
    kept = _kept_by(options, seen, requested)
    if kept is None:
        return _undrawn(options)
    holds = _filters(options, seen)[1]
    unseen = holds and requested > 0 and not kept.min_p_shows
    return Observation(
        observed=f"tokens down to {kept.floors[1]:.1e} of the most probable one's probability",
        in_effect=None if unseen else holds,
        reason="it left out no token that top-p keeps"
        if unseen
        else "what torch drew from, against the logits",
    )


def _undrawn(options: Options) -> Observation:
    return Observation(
        observed="nothing was drawn",
        in_effect=None,
        reason="temperature 0 takes the most probable token"
        if not float(options["temperature"])
        else "torch drew no token",
    )


def repetition_penalty(options: Options, seen: HasDraws) -> Observation:
    """Check the factor of tokens that were said before."""
    requested, draws = float(options["repetition_penalty"]), seen.draws
    if not distributed(draws):
        return _greedy_penalty(requested, draws)
    factor = penalty_of(draws, _measured(options, seen)[0])
    if factor is None:
        return Observation(
            observed="no token said before could be drawn",
            in_effect=None,
            reason="the factor shows at tokens that were said before",
        )
    return Observation(
        observed=f"factor {factor:.3f}",
        in_effect=_near(factor, requested),
        reason="of tokens that were said before, against those that were not",
    )


def _greedy_penalty(requested: float, draws: Sequence[DrawSeen]) -> Observation:
    fits, without = is_greedy(draws, requested), is_greedy(draws, 1.0)
    return Observation(
        observed="every token is the most probable one "
        + ("after the penalty" if fits else "without a penalty" if without else "of none"),
        in_effect=None if fits and without and requested != 1.0 else bool(draws) and fits,
        reason="the largest logit of every step",
    )
