"""
The option checks of the pipeline `token`: those of `flow` where they fit, and those of the model of
speech tokens. A test demands one for every option of the pipeline.
"""

from collections.abc import Mapping
from itertools import chain

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.config import Compile, Precision, Quantization
from voxgate.engine.config.token import MODELS
from voxgate.engine.layers.mel import HOP, LOG_FLOOR
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.tokens.generate import LONGEST_STAY
from voxgate.engine.tokens.speech_tokenizer import TOKEN_SAMPLES
from voxgate.harness.targets.engine.flow_observer import ModelSeen
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.engine.option_checks import CHECKS
from voxgate.harness.targets.engine.output_checks import OUTPUT_CHECKS
from voxgate.harness.targets.engine.prompt_probe import recording_seen
from voxgate.harness.targets.engine.token_observer import observe_token
from voxgate.harness.targets.engine.token_passes import (
    TokenSeen,
    cfg_passes,
    cfg_weight,
    kv_cache,
    rows_of,
)
from voxgate.harness.targets.engine.token_sampling import (
    min_p,
    repetition_penalty,
    temperature,
    top_p,
)
from voxgate.harness.targets.protocol import Options

SHARED = (
    *("nfe_steps", "solver", "sway", "grid", "threads", "workers", "speaker", "chunk_characters"),
    *("batch_by", *OUTPUT_CHECKS),
)
"""Checked as those of `flow` are."""
PROMPT_TOLERANCE = 2
"""Tokens by which a recording's may differ from its mel: half of one at each end, rounded."""
PACE_TOLERANCE = 0.01
"""Rounding to bf16 moves an embedded pace by less."""


def _models(seen: TokenSeen) -> dict[str, ModelSeen]:
    return dict(zip(MODELS, (seen.tokens, seen.acoustic, seen.vocoder), strict=True))


def _limits(seen: TokenSeen) -> tuple[int, int]:
    """Return the tokens and the phones of the longest text of those that were cut short."""
    longest = max(map(len, seen.phone_ids), default=0)
    return max(seen.unending, default=0), longest


def _max_tokens(options: Options, seen: TokenSeen) -> Observation:
    requested = int(options["max_tokens"])
    most, phones = _limits(seen)
    said = max(map(len, rows_of(seen.generations)), default=0)
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
    said = list(map(len, rows_of(seen.generations)))
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
    said, again, other = map(rows_of, (seen.generations, seen.again, seen.other))
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
    paces = list(chain.from_iterable(each.paces for each in seen.generations))
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


def _reference(options: Options, seen: TokenSeen) -> Observation:
    observed, in_effect = recording_seen(options, seen.prompt, SAMPLE_RATE_HZ, LOG_FLOOR)
    frames = max((len(log) for log in seen.prompt.logs), default=0)
    expected = frames * HOP / TOKEN_SAMPLES
    # a prefix: the speaker, the phones, the tokens of the recording, and the first input
    tokens = [
        each.steps[0].passes[0].asked - 2 - max(map(len, each.phones), default=0)
        for each in seen.generations
        if each.steps
    ]
    given = bool(tokens) and all(abs(count - expected) <= PROMPT_TOLERANCE for count in tokens)
    return Observation(
        observed=f"{observed}; {max(tokens, default=0)} tokens in front",
        in_effect=in_effect and (given if options["reference"] else not any(tokens)),
        reason="what the acoustic model may copy from, and the positions before the first token",
    )


def _precision_check(name: str) -> Check:
    def check(options: Options, seen: TokenSeen) -> Observation:
        model = _models(seen)[name]
        dtypes = {*model.weight_dtypes, *model.activation_dtypes}
        if name == "tokens":
            dtypes |= seen.held_dtypes
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
    "kv_cache": kv_cache,
    "cfg_weight": cfg_weight,
    "cfg_passes": cfg_passes,
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
    "reference": _reference,
}

OBSERVER = PipelineObserver(observe=observe_token, checks=TOKEN_CHECKS)
