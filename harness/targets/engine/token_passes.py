"""
The record of the passes through the model of speech tokens, and option checks of them: the KV
cache, and guidance in one pass or two. `token_observer` makes the record, `token_checks` lists the
checks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor

from voxgate.engine.config import KVCacheKind
from voxgate.harness.targets.engine.flow_observer import ModelSeen, SynthesisObservation
from voxgate.harness.targets.engine.hooks import dtype_name
from voxgate.harness.targets.engine.observer_registry import Observation
from voxgate.harness.targets.engine.token_sampling import DrawSeen
from voxgate.harness.targets.protocol import Options

WEIGHT_TOLERANCE = 1e-3
"""Of the weight of guidance, found by least squares from fp32 sums."""
RESIDUE = 1e-4
"""Of guided logits, relative to the largest: rounding of fp32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSeen:
    """One forward pass of the model of speech tokens."""

    cache: int
    """Which KV cache it was given, numbered from 0 in its generation."""
    asked: int
    """New positions."""
    runs: tuple[tuple[int, int], ...]
    """Rows and positions each time that the layers computed."""
    held: tuple[Tensor, ...]
    """Keys and values that the cache held afterwards; kept, so that no memory occurs twice."""
    logits: Tensor
    """Of codes, (rows, V)."""
    advances: int
    """Choices of the pointer; 0 without a pointer."""


@dataclass(slots=True, kw_only=True)
class StepSeen:
    """The passes for one token of every row, and the draws."""

    passes: list[PassSeen] = field(default_factory=list)
    draws: list[DrawSeen] = field(default_factory=list)

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Rows and positions of everything that the layers computed."""
        return list(chain.from_iterable(each.runs for each in self.passes))


@dataclass(slots=True, kw_only=True)
class GenerationSeen:
    """The tokens of a batch of texts."""

    phones: tuple[tuple[int, ...], ...] = ()
    """Of every row, as embedded: those of the texts, then of the unconditional rows."""
    paces: tuple[float, ...] = ()
    """Of every row of the first pass, as embedded; empty where the model has no vector of it."""
    labels: list[Tensor] = field(default_factory=list)
    """Embedded speaker and question."""
    tokens: list[list[int]] = field(default_factory=list)
    """Drawn, by text."""
    steps: list[StepSeen] = field(default_factory=list)

    @property
    def texts(self) -> int:
        """How many texts are spoken together."""
        return len(self.tokens)

    def add(self, seen: PassSeen) -> None:
        """Append a pass; the first one after a draw begins a step."""
        if not self.steps or self.steps[-1].draws:
            self.steps.append(StepSeen())
        self.steps[-1].passes.append(seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSeen(SynthesisObservation):
    """Record of one observed synthesis."""

    tokens: ModelSeen
    generations: tuple[GenerationSeen, ...]
    again: tuple[GenerationSeen, ...]
    """Of the same seed, of the first pass of the text at least."""
    other: tuple[GenerationSeen, ...]
    """Of another seed."""
    unending: tuple[int, ...]
    """Tokens of every text over a model that stays at its first phone."""
    hasty: tuple[int, ...]
    """Tokens of every text over a model that always advances."""

    @property
    def steps(self) -> list[StepSeen]:
        """All steps of the synthesis."""
        return list(chain.from_iterable(each.steps for each in self.generations))

    @property
    def passes(self) -> list[PassSeen]:
        """All passes of the synthesis."""
        return list(chain.from_iterable(step.passes for step in self.steps))

    @property
    def held_dtypes(self) -> set[str]:
        """Of keys and values."""
        held = chain.from_iterable(each.held for each in self.passes)
        return {dtype_name(store.dtype) for store in held}

    @property
    def draws(self) -> list[DrawSeen]:
        """All draws of the synthesis."""
        return list(chain.from_iterable(step.draws for step in self.steps))


def rows_of(generations: Sequence[GenerationSeen]) -> list[tuple[int, ...]]:
    """Return the tokens of every text."""
    return list(map(tuple, chain.from_iterable(each.tokens for each in generations)))


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


def _first_memories(generations: Sequence[GenerationSeen]) -> frozenset[tuple[int, int]]:
    """Return the memory of keys and values after the first pass of every sequence."""
    lanes = chain.from_iterable(map(_lanes, generations))
    return frozenset(chain.from_iterable(_memory(lane[0]) for lane in lanes))


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
    lanes = list(chain.from_iterable(map(_lanes, seen.generations)))
    later = chain.from_iterable(lane[1:] for lane in lanes)
    most = max((count for _, count in chain.from_iterable(each.runs for each in later)), default=0)
    before = _first_memories(seen.generations)
    then = _first_memories(seen.again)
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
    begun = [generation for generation in seen.generations if generation.steps]
    return {_first_rows(generation) / max(1, generation.texts) for generation in begun}


def _first_rows(generation: GenerationSeen) -> int:
    return sum(rows for rows, _ in generation.steps[0].runs)


def _pairs(generation: GenerationSeen) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the logits that each sampler got, with those of its two rows, finite ones alone."""
    for step in generation.steps:
        cond, uncond = _logits_of(step).chunk(2)
        for rank, draw in enumerate(step.draws):
            row = draw.row if len(cond) == generation.texts else rank
            finite = torch.isfinite(draw.logits)
            yield draw.logits[finite].double(), cond[row][finite], uncond[row][finite]


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
    pairs = list(chain.from_iterable(map(_pairs, seen.generations)))
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
    made = {len(step.runs) for step in seen.steps}
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
