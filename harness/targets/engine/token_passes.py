"""
Option checks of the passes through the model of speech tokens: the KV cache, and guidance in one
pass or two. `token_checks` lists them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from voxgate.engine.config import KVCacheKind
from voxgate.harness.targets.engine.observer_registry import Observation
from voxgate.harness.targets.engine.token_observer import (
    GenerationSeen,
    PassSeen,
    StepSeen,
    TokenSeen,
)
from voxgate.harness.targets.protocol import Options

WEIGHT_TOLERANCE = 1e-3
"""Of the weight of guidance, found by least squares from fp32 sums."""
RESIDUE = 1e-4
"""Of guided logits, relative to the largest: rounding of fp32."""


def _lanes(generation: GenerationSeen) -> list[list[PassSeen]]:
    """Return the passes by the KV cache that they were given."""
    lanes: dict[int, list[PassSeen]] = {}
    for step in generation.steps:
        for each in step.passes:
            lanes.setdefault(each.cache, []).append(each)
    return list(lanes.values())


def _memory(each: PassSeen) -> frozenset[tuple[int, int]]:
    return frozenset(
        (store.untyped_storage().data_ptr(), store.untyped_storage().nbytes())
        for store in each.held
    )


def _computes_all(lane: Sequence[PassSeen]) -> bool:
    """Whether every pass computed all positions so far."""
    total = 0
    for each in lane:
        total += each.asked
        if {count for _, count in each.runs} != {total}:
            return False
    return True


def _room(lane: Sequence[PassSeen]) -> int:
    """Return the positions that the memory holds, from the first pass to the last; 0 if it grew."""
    constant = bool(lane[0].held) and all(_memory(each) == _memory(lane[0]) for each in lane)
    return min(store.shape[2] for store in lane[0].held) if constant else 0


def kv_cache(options: Options, seen: TokenSeen) -> Observation:
    """Check the KV cache by the positions computed for each token, and by its memory."""
    lanes = [lane for generation in seen.generations for lane in _lanes(generation)]
    runs = [run for lane in lanes for each in lane[1:] for run in each.runs]
    most = max((count for _, count in runs), default=0)
    before = frozenset().union(*(_memory(lane[0]) for lane in lanes))
    then = frozenset().union(
        *(_memory(lane[0]) for each in seen.again for lane in _lanes(each)), frozenset()
    )
    kinds = {_kind(lane, int(options["max_tokens"]), again=bool(before & then)) for lane in lanes}
    memory = "used again by the next sequence" if before & then else "of this sequence alone"
    held = any(lane[-1].held for lane in lanes)
    return Observation(
        observed=f"at most {most} positions per token, "
        + (f"memory {memory}" if held else "nothing kept"),
        in_effect=kinds == {KVCacheKind(str(options["kv_cache"]))},
        reason="positions that reached the layers, and the memory of keys and values",
    )


def _kind(lane: Sequence[PassSeen], max_tokens: int, *, again: bool) -> KVCacheKind | None:
    """Return which kind of cache the passes of a sequence had, or None if it is none of them."""
    if not any(each.held for each in lane):
        return KVCacheKind.OFF if _computes_all(lane) else None
    alone = all({count for _, count in each.runs} == {each.asked} for each in lane)
    if not alone or any(each.asked != 1 for each in lane[1:]):
        return None
    if not again:
        return KVCacheKind.DYNAMIC
    return KVCacheKind.STATIC if _room(lane) >= lane[0].asked + max_tokens - 1 else None


def _logits_of(step: StepSeen) -> Tensor:
    return torch.cat([each.logits for each in step.passes]).double().cpu()


def _copies(seen: TokenSeen) -> set[float]:
    """Return the rows per text that were computed in the first step of every generation."""
    return {
        sum(rows for each in generation.steps[0].passes for rows, _ in each.runs)
        / max(1, generation.texts)
        for generation in seen.generations
        if generation.steps
    }


def _pairs(generation: GenerationSeen, step: StepSeen) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return the logits that each sampler got, with those of its two rows, finite ones alone."""
    cond, uncond = _logits_of(step).chunk(2)
    pairs = []
    for rank, draw in enumerate(step.draws):
        row = draw.row if len(cond) == generation.texts else rank
        finite = torch.isfinite(draw.logits)
        pairs.append((draw.logits[finite].double(), cond[row][finite], uncond[row][finite]))
    return pairs


def _weight_of(pairs: Sequence[tuple[Tensor, Tensor, Tensor]]) -> tuple[float | None, float]:
    """
    Solve guided = cond + w (cond - uncond) for w by least squares; return it and the largest
    residue, relative to the largest logit.
    """
    squares = sum(float((cond - uncond).square().sum()) for _, cond, uncond in pairs)
    if not squares:
        return None, 0.0
    moved = sum(float(((got - cond) * (cond - uncond)).sum()) for got, cond, uncond in pairs)
    weight = moved / squares
    residues = [
        float((got - cond - weight * (cond - uncond)).abs().max() / got.abs().max().clamp(min=1e-9))
        for got, cond, uncond in pairs
    ]
    return weight, max(residues)


def cfg_weight(options: Options, seen: TokenSeen) -> Observation:
    """Check guidance by the rows computed, and the weight by the logits drawn from."""
    requested, copies = float(options["cfg_weight"]), _copies(seen)
    rows = f"{' and '.join(f'{each:g}' for each in sorted(copies))} rows per text"
    if copies != {2.0}:
        return Observation(
            observed=rows,
            in_effect=copies == {1.0} and not requested and _unguided(seen),
            reason="rows of a step; guidance has one without phones for each text",
        )
    empty = all(
        not any(generation.phones[generation.texts :])
        and all(generation.phones[: generation.texts])
        for generation in seen.generations
    )
    pairs = [
        pair
        for generation in seen.generations
        for step in generation.steps
        for pair in _pairs(generation, step)
    ]
    weight, residue = _weight_of(pairs)
    if weight is None:
        return Observation(observed=rows, in_effect=None, reason="both rows have the same logits")
    near = abs(weight - requested) <= WEIGHT_TOLERANCE * max(1.0, requested)
    return Observation(
        observed=f"{rows}, {'one without phones' if empty else 'both with phones'}, weight "
        f"{weight:.3f}, residue {residue:.1e}",
        in_effect=requested > 0 and near and empty and residue <= RESIDUE,
        reason="the weight that explains the logits that were drawn from by those of the rows",
    )


def _unguided(seen: TokenSeen) -> bool:
    """Whether every sampler got the logits of its row."""
    for generation in seen.generations:
        for step in generation.steps:
            logits = _logits_of(step)
            for rank, draw in enumerate(step.draws):
                row = logits[draw.row if len(logits) == generation.texts else rank]
                finite = torch.isfinite(draw.logits)
                if not torch.equal(row[finite].float(), draw.logits[finite]):
                    return False
    return True


def cfg_passes(options: Options, seen: TokenSeen) -> Observation:
    """Check the number of passes for each token, and of KV caches."""
    requested = int(options["cfg_passes"])
    made = {sum(len(each.runs) for each in step.passes) for step in seen.steps}
    caches = {len(_lanes(generation)) for generation in seen.generations}
    observed = f"{' and '.join(map(str, sorted(made)))} passes per token"
    if requested == 2 and not float(options["cfg_weight"]):
        return Observation(
            observed=observed,
            in_effect=None if made == {1} else False,
            reason="without guidance there is one pass",
        )
    return Observation(
        observed=f"{observed}, {' and '.join(map(str, sorted(caches)))} KV caches",
        in_effect=made == caches == {requested},
        reason="passes through the layers for each token of a batch",
    )
