"""
The option checks of the pipeline `token`: those of `flow` where they fit, and those of the model of
speech tokens. A test demands one for every option of the pipeline.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from voxgate.engine.config import Compile, KVCacheKind, Precision, Quantization
from voxgate.engine.config.token import MODELS
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.tokens.generate import LONGEST_STAY
from voxgate.harness.targets.engine.flow_observer import ModelSeen
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.engine.option_checks import CHECKS
from voxgate.harness.targets.engine.token_observer import (
    GenerationSeen,
    PassSeen,
    StepSeen,
    TokenSeen,
    observe_token,
)
from voxgate.harness.targets.engine.token_sampling import (
    min_p,
    repetition_penalty,
    temperature,
    top_p,
)
from voxgate.harness.targets.protocol import Options

SHARED = (
    "nfe_steps",
    "solver",
    "sway",
    "grid",
    "threads",
    "workers",
    "speaker",
    "chunk_characters",
)
"""Checked as those of `flow` are."""
WEIGHT_TOLERANCE = 1e-3
"""Of the weight of guidance, found by least squares from fp32 sums."""
RESIDUE = 1e-4
"""Of guided logits, relative to the largest: rounding of fp32."""
PACE_TOLERANCE = 0.01
"""Rounding to bf16 moves an embedded pace by less."""


def _steps(seen: TokenSeen) -> list[StepSeen]:
    return [step for generation in seen.generations for step in generation.steps]


def _models(seen: TokenSeen) -> dict[str, ModelSeen]:
    return dict(zip(MODELS, (seen.tokens, seen.acoustic, seen.vocoder), strict=True))


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


def _kv_cache(options: Options, seen: TokenSeen) -> Observation:
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


def _cfg_weight(options: Options, seen: TokenSeen) -> Observation:
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


def _cfg_passes(options: Options, seen: TokenSeen) -> Observation:
    requested = int(options["cfg_passes"])
    made = {sum(len(each.runs) for each in step.passes) for step in _steps(seen)}
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


def _limits(seen: TokenSeen) -> tuple[int, int]:
    """Return the tokens and the phones of the longest text of those that were cut short."""
    longest = max(map(len, seen.phone_ids), default=0)
    return max(seen.unending, default=0), longest


def _max_tokens(options: Options, seen: TokenSeen) -> Observation:
    requested = int(options["max_tokens"])
    most, phones = _limits(seen)
    said = max((len(row) for each in seen.generations for row in each.tokens), default=0)
    # a pointer moves on by itself, so a short text ends before the limit
    short = bool(options["early_stop"]) and phones * LONGEST_STAY <= requested
    return Observation(
        observed=f"{said} tokens, and {most} where the model stays at a phone",
        in_effect=False
        if max(most, said) > requested
        else True
        if most == requested
        else None
        if short
        else False,
        reason="the loop over a stand-in for the model that never advances in the text",
    )


def _early_stop(options: Options, seen: TokenSeen) -> Observation:
    limit, requested = int(options["max_tokens"]), bool(options["early_stop"])
    phones = max(map(len, seen.phone_ids), default=0)
    said = [len(row) for each in seen.generations for row in each.tokens]
    ends = bool(seen.hasty) and max(seen.hasty) <= phones and max(said, default=0) <= limit
    goes_on = bool(said) and {*said, *seen.hasty} == {limit}
    return Observation(
        observed=f"{' and '.join(map(str, said))} tokens, and {max(seen.hasty, default=0)} where "
        "the model hurries through the text",
        in_effect=goes_on if not requested else None if phones >= limit and goes_on else ends,
        reason=f"tokens against max_tokens={limit}, and the loop over a stand-in for the model",
    )


def _seed(options: Options, seen: TokenSeen) -> Observation:
    noise = CHECKS["seed"](options, seen)
    rows = [
        [tuple(row) for each in run for row in each.tokens]
        for run in (seen.generations, seen.again, seen.other)
    ]
    said, again, other = rows
    repeats = bool(again) and all(row in said for row in again)
    differs = bool(other) and not any(row in said for row in other)
    greedy = not float(options["temperature"])
    tokens = (
        f"{'the same' if repeats else 'other'} tokens from it again, "
        f"{'others' if differs else 'the same'} from another seed"
    )
    return Observation(
        observed=f"{noise.observed}, {tokens}",
        in_effect=bool(noise.in_effect) and repeats and (differs or greedy),
        reason="the state at the first call of the flow, and two more runs of the tokens"
        + (", which temperature 0 does not draw" if greedy else ""),
    )


def _speed(options: Options, seen: TokenSeen) -> Observation:
    requested = float(options["speed"])
    paces = [pace for each in seen.generations for pace in each.paces]
    if not paces:
        return Observation(
            observed="no pace", in_effect=None, reason="the model has no vector of the pace"
        )
    return Observation(
        observed=f"{min(paces):.3f} to {max(paces):.3f} times the usual pace",
        in_effect=all(abs(pace - requested) <= PACE_TOLERANCE for pace in paces),
        reason="the pace in the first position of every row",
    )


def _batch(options: Options, seen: TokenSeen) -> Observation:
    flow = CHECKS["batch"](options, seen)
    together = sorted(generation.texts for generation in seen.generations)
    return Observation(
        observed=f"{flow.observed}, tokens of {' + '.join(map(str, together))}",
        in_effect=flow.in_effect and together == sorted(seen.together),
        reason=flow.reason,
    )


def _cfg_strength(options: Options, seen: TokenSeen) -> Observation:
    return CHECKS["cfg_strength"]({**options, "precision": options["precision_acoustic"]}, seen)


def _precision_check(name: str) -> Check:
    def check(options: Options, seen: TokenSeen) -> Observation:
        model = _models(seen)[name]
        dtypes = {*model.weight_dtypes, *model.activation_dtypes}
        if name == "tokens":
            dtypes |= {
                str(store.dtype).removeprefix("torch.")
                for step in _steps(seen)
                for each in step.passes
                for store in each.held
            }
        precision = Precision(str(options[f"precision_{name}"]))
        requested = str(DTYPES[precision]).removeprefix("torch.")
        return Observation(
            observed=f"weights and activations {' and '.join(sorted(dtypes))}",
            in_effect=dtypes == {requested},
            reason=f"{requested} everywhere is what was asked",
        )

    return check


def _quantization_check(name: str) -> Check:
    def check(options: Options, seen: TokenSeen) -> Observation:
        model = _models(seen)[name]
        quantized = options[f"quantization_{name}"] != Quantization.NONE
        return Observation(
            observed=f"{model.int8_linears} of {model.linears} Linear modules int8, weights "
            f"{model.weight_bytes / 1e6:.1f} MB ({model.fp32_bytes / 1e6:.1f} MB in fp32)",
            in_effect=model.int8_linears == (model.linears if quantized else 0),
            reason="the dtype that the weights are stored in",
        )

    return check


def _compile(options: Options, seen: TokenSeen) -> Observation:
    requested, model = options["compile"] != Compile.OFF, seen.tokens
    observed = f"{model.graphs} graphs of a step" if model.compiled else "not compiled"
    if requested and seen.recompiled:
        return Observation(
            observed=f"{observed}, {seen.recompiled} new after warm-up",
            in_effect=False,
            reason="it still compiles",
        )
    return Observation(
        observed=observed,
        in_effect=model.compiled == requested and not (requested and seen.graph_breaks),
        reason="dynamo's graphs for the code of a step",
    )


def _device(options: Options, seen: TokenSeen) -> Observation:
    devices = frozenset().union(*(model.devices for model in _models(seen).values()))
    requested = str(options["device"])
    return Observation(
        observed=" and ".join(sorted(devices)),
        in_effect=len(devices) == 1 and next(iter(devices)) in (requested, f"{requested}:0"),
        reason="where weights and outputs lie",
    )


TOKEN_CHECKS: Mapping[str, Check] = {
    **{name: CHECKS[name] for name in SHARED},
    "kv_cache": _kv_cache,
    "cfg_weight": _cfg_weight,
    "cfg_passes": _cfg_passes,
    "temperature": temperature,
    "top_p": top_p,
    "min_p": min_p,
    "repetition_penalty": repetition_penalty,
    "max_tokens": _max_tokens,
    "early_stop": _early_stop,
    "cfg_strength": _cfg_strength,
    **{f"precision_{name}": _precision_check(name) for name in MODELS},
    **{f"quantization_{name}": _quantization_check(name) for name in MODELS},
    "compile": _compile,
    "device": _device,
    "seed": _seed,
    "speed": _speed,
    "batch": _batch,
}

OBSERVER = PipelineObserver(observe=observe_token, checks=TOKEN_CHECKS)
