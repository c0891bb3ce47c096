"""
The option checks of the pipeline `conversion`, of the record that `conversion_observer` makes. A
test demands one for every option of the pipeline.
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from voxgate.engine.config import Compile, F0Method, Precision, Quantization
from voxgate.engine.config.conversion import MODELS, PROTECT_OFF, TARGET_SPEAKERS
from voxgate.engine.passes.precision import DTYPES
from voxgate.harness.targets.engine.conversion_observer import (
    ConversionRun,
    ConversionSeen,
    moved_mel,
    observe_conversion,
    search_heeded,
    target_embedding,
    voiced_pitch,
)
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.engine.option_checks import compile_of, runtime_of
from voxgate.harness.targets.engine.output_checks import OUTPUT_CHECKS
from voxgate.harness.targets.engine.thread_checks import threads, workers
from voxgate.harness.targets.protocol import Options

HOP, FRAME_RATE_HZ = 256, 62.5
LEAST_KEPT, LEAST_CONTEXT = 6, 6
SHIFT_TOLERANCE = 0.25
"""Semitones: frames that two chunks share count twice in the median."""
SHARE_TOLERANCE = 0.05
EMBEDDING_TOLERANCE = 0.02
"""bf16 rounds an embedding by less."""
LIVE = "live audio has no chunks of its own, and nothing to keep"


def _live(options: Options) -> bool:
    return bool(options["stream_block_ms"])


def _unseen(reason: str) -> Observation:
    return Observation(observed="not shown", in_effect=None, reason=reason)


def _frames(seen: ConversionSeen) -> int:
    return -(-seen.samples // HOP) + 1


def _core(options: Options) -> int:
    return round(float(options["chunk_seconds"]) * FRAME_RATE_HZ)


def _windows(options: Options, frames: int) -> int:
    core = _core(options)
    return len(range(0, frames - LEAST_KEPT, core)) if 0 < core < frames - LEAST_KEPT else 1


def _rows(run: ConversionRun, model: str) -> int:
    return sum(rows for rows, _ in run.shapes(model))


def _joined(values: Iterable[object]) -> str:
    return " and ".join(map(str, sorted(set(values), key=str))) or "none"


def _source(options: Options, seen: ConversionSeen) -> Observation:
    delivered = seen.output.delivered.size
    return Observation(
        observed=f"{delivered} samples of audio",
        in_effect=abs(delivered - seen.samples) <= 1,
        reason=f"the recording has {seen.samples} at the same rate",
    )


def _chunk_seconds(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen(LIVE)
    expected = _windows(options, _frames(seen))
    made = {name: _rows(seen.run, name) for name in MODELS}
    return Observation(
        observed=", ".join(f"{name} {count}" for name, count in made.items()) + " chunks",
        in_effect=set(made.values()) == {expected},
        reason=f"{_frames(seen)} frames make {expected}",
    )


def _chunk_overlap(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen(LIVE)
    overlap, frames = round(float(options["chunk_overlap_seconds"]) * FRAME_RATE_HZ), _frames(seen)
    if _windows(options, frames) == 1:
        return _unseen("a recording of one chunk has no neighbours")
    expected = {
        name: min(frames, _core(options) + 2 * max(LEAST_CONTEXT, min(context, overlap)))
        for name, context in seen.contexts.items()
    }
    made = {name: {count for _, count in seen.run.shapes(name)} for name in seen.contexts}
    return Observation(
        observed=", ".join(f"{name} of {_joined(each)} frames" for name, each in made.items()),
        in_effect=all(made[name] == {count} for name, count in expected.items()),
        reason=f"a chunk keeps {_core(options)} and sees its neighbours on either side",
    )


def _batch(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen(LIVE)
    count, size = _windows(options, _frames(seen)), max(1, int(options["batch"]))
    planned = sorted(min(size, count - first) for first in range(0, count, size))
    made = {name: sorted(rows for rows, _ in seen.run.shapes(name)) for name in MODELS}
    return Observation(
        observed=f"{' + '.join(map(str, made['model']))} chunks in {len(made['model'])} passes",
        in_effect=all(each == planned for each in made.values()),
        reason="rows of every call of the models",
    )


def _workers(options: Options, seen: ConversionSeen) -> Observation:
    return _unseen(LIVE) if _live(options) else workers(options, seen)  # type: ignore[arg-type]


def _parallel_f0(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen(LIVE)
    elsewhere = bool(seen.run.f0_threads) and all(
        thread != seen.caller for thread in seen.run.f0_threads
    )
    here = bool(seen.run.f0_threads) and set(seen.run.f0_threads) == {seen.caller}
    return Observation(
        observed=f"F0 in {'a thread of its own' if elsewhere else 'the thread of the request'}"
        f"{', beside the content encoder' if seen.run.met else ''}",
        in_effect=(elsewhere and seen.run.met) if options["parallel_f0"] else here,
        reason="the thread of the estimator, which waited there for the content encoder's",
    )


def _feature_cache(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen(LIVE)
    calls, estimates = len(seen.again.shapes("content")), len(seen.again.f0_threads)
    first = len(seen.run.shapes("content"))
    recalled = not calls and not estimates
    return Observation(
        observed=f"{first} calls of the content encoder for a new source, {calls} for the same "
        f"again, F0 {'estimated' if estimates else 'recalled'}",
        in_effect=bool(first) and recalled == bool(options["feature_cache"]),
        reason="a second conversion of one recording",
    )


def _vocal_tract_search(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen(LIVE)
    factor, heeded = search_heeded(seen.run)
    return Observation(
        observed="no search" if factor is None else f"a warp of {factor:g}",
        in_effect=heeded if options["vocal_tract_search"] else factor is None,
        reason="the search, and the spectrum that the content encoder was given after it",
    )


def _f0_method(options: Options, seen: ConversionSeen) -> Observation:
    requested = str(options["f0_method"])
    expected = frozenset() if requested == F0Method.YIN else frozenset({requested})
    return Observation(
        observed=f"called {_joined(seen.estimators)} of the packages",
        in_effect=seen.estimators == expected and bool(seen.run.f0_threads),
        reason="calls of SwiftF0 and WORLD; yin has none",
    )


def _pitch_shift(options: Options, seen: ConversionSeen) -> Observation:
    pitch = voiced_pitch(seen.run)
    if not pitch.size:
        return _unseen("no frame has a pitch")
    shift = float(np.median(pitch)) * 12.0 / math.log(2.0)
    live = _live(options)
    near = abs(shift - float(options["pitch_shift"])) <= SHIFT_TOLERANCE * (8 if live else 1)
    return Observation(
        observed=f"the median {shift:+.2f} semitones from the voice's",
        in_effect=near,
        reason="the pitch that the decoder was given"
        + (", by a median of what was heard so far" if live else ""),
    )


def _protect(options: Options, seen: ConversionSeen) -> Observation:
    if _live(options):
        return _unseen("live audio is not protected")
    if seen.crowd.most > 1:
        return _unseen("calls of several threads cannot be paired")
    (voiced, other), (_, most) = moved_mel(seen.run, seen), moved_mel(seen.guarded, seen)
    if not most:
        return _unseen("every frame has a pitch")
    share = 1.0 - other / most
    rounded = options["precision_vocoder"] == "bf16" or options["precision"] == "bf16"
    slack = SHARE_TOLERANCE * (4 if rounded else 1)
    near = abs(share - float(options["protect"]) / PROTECT_OFF) <= slack
    return Observation(
        observed=f"{share:.2f} of the converted mel in frames without pitch",
        in_effect=near and voiced <= slack * max(1.0, most),
        reason="the vocoder's mel against the decoder's, and against that of protect=0",
    )


def _speaker(options: Options, seen: ConversionSeen) -> Observation:
    given = target_embedding(seen)
    if options["reference"]:
        return _unseen("the voice is that of the reference")
    table = seen.voice.targets.embedding.float().cpu()
    apart = None if given is None else (table - given).abs().amax(dim=-1)
    name = "several" if apart is None else TARGET_SPEAKERS[int(apart.argmin())]
    near = apart is not None and float(apart.min()) <= EMBEDDING_TOLERANCE
    return Observation(
        observed=name if near else f"{name}, not as stored",
        in_effect=near and name == options["speaker"],
        reason="the embedding that the decoder was given against those of the weights",
    )


def _reference(options: Options, seen: ConversionSeen) -> Observation:
    given, path = target_embedding(seen), str(options["reference"])
    table = seen.voice.targets.embedding.float().cpu()
    named = given is not None and bool(
        ((table - given).abs().amax(dim=-1) <= EMBEDDING_TOLERANCE).any()
    )
    if not path:
        return Observation(
            observed="a named voice" if named else "another voice",
            in_effect=named,
            reason="the embedding that the decoder was given",
        )
    method = F0Method(str(options["f0_method"]))
    wanted = seen.voice.encode_reference(method, Path(path).read_bytes(), "", "")
    same = given is not None and torch.allclose(
        given, wanted.embedding.cpu(), atol=EMBEDDING_TOLERANCE
    )
    return Observation(
        observed="the recording's voice" if same else "another voice",
        in_effect=same,
        reason="the embedding that the decoder was given against the recording's",
    )


def _block_frames(options: Options) -> int:
    return max(2, round(int(options["stream_block_ms"]) / 1000.0 * FRAME_RATE_HZ))


def _stream_block(options: Options, seen: ConversionSeen) -> Observation:
    calls = len(seen.run.shapes("model"))
    if not _live(options):
        expected = {len(seen.run.shapes(name)) for name in ("model", "vocoder")}
        whole = -(-_windows(options, _frames(seen)) // max(1, int(options["batch"])))
        return Observation(
            observed=f"{calls} passes",
            in_effect=expected == {whole},
            reason="the whole recording is known",
        )
    planned = _frames(seen) / _block_frames(options)
    return Observation(
        observed=f"{calls} blocks",
        in_effect=planned - 1 <= calls <= planned + 1,
        reason=f"{_frames(seen)} frames in blocks of {_block_frames(options)}",
    )


def _stream_lookahead(options: Options, seen: ConversionSeen) -> Observation:
    if not _live(options):
        return _unseen("the whole recording is known")
    context = sum(seen.contexts.values())
    asked = math.ceil(int(options["stream_lookahead_ms"]) / 1000.0 * FRAME_RATE_HZ)
    ahead = min(context, max(3, asked)) if asked else context
    longest = max((frames for _, frames in seen.run.shapes("model")), default=0)
    expected = min(_frames(seen), context + _block_frames(options) + ahead)
    return Observation(
        observed=f"{longest} frames for a block",
        # the last block takes what is left
        in_effect=expected <= longest <= expected + 2 or longest == _frames(seen),
        reason=f"{context} before it and {ahead} behind",
    )


def _precision_of(options: Options, name: str) -> str:
    own = str(options[f"precision_{name}"])
    return str(options["precision"]) if own == "same" else own


def _dtypes(seen: ConversionSeen, name: str) -> set[str]:
    model = seen.models[name]
    return {*model.weight_dtypes, *model.activation_dtypes}


def _requested_dtype(precision: str) -> str:
    return str(DTYPES[Precision(precision)]).removeprefix("torch.")


def _precision(options: Options, seen: ConversionSeen) -> Observation:
    names = [name for name in MODELS if options[f"precision_{name}"] == "same"]
    if not names:
        return _unseen("every model has an arithmetic of its own")
    dtypes = set().union(*(_dtypes(seen, name) for name in names))
    return Observation(
        observed=f"weights and activations {_joined(dtypes)}",
        in_effect=dtypes == {_requested_dtype(str(options["precision"]))},
        reason=f"of {' and '.join(names)}",
    )


def _precision_check(name: str) -> Check:
    def check(options: Options, seen: ConversionSeen) -> Observation:
        requested, dtypes = _requested_dtype(_precision_of(options, name)), _dtypes(seen, name)
        return Observation(
            observed=f"weights and activations {_joined(dtypes)}",
            in_effect=dtypes == {requested},
            reason=f"{requested} everywhere is what was asked",
        )

    return check


def _quantization_check(name: str) -> Check:
    def check(options: Options, seen: ConversionSeen) -> Observation:
        model = seen.models[name]
        quantized = options[f"quantization_{name}"] != Quantization.NONE
        return Observation(
            observed=f"{model.int8_linears} of {model.linears} Linear modules int8, weights "
            f"{model.weight_bytes / 1e6:.1f} MB ({model.fp32_bytes / 1e6:.1f} MB in fp32)",
            in_effect=model.int8_linears == (model.linears if quantized else 0),
            reason="the dtype that the weights are stored in",
        )

    return check


def _runtime_check(name: str) -> Check:
    def check(options: Options, seen: ConversionSeen) -> Observation:
        return runtime_of(seen.models[name], options, name)

    return check


def _compile(options: Options, seen: ConversionSeen) -> Observation:
    each = [
        compile_of(seen.models[name], str(options["compile"]), seen)
        for name in ("content", "model")
        if options["compile"] != Compile.OFF or seen.models[name].calls
    ]
    return Observation(
        observed="; ".join(one.observed for one in each) or "no call",
        in_effect=bool(each) and all(one.in_effect for one in each),
        reason="dynamo's graphs for the code of content encoder and decoder",
    )


def _compile_vocoder(options: Options, seen: ConversionSeen) -> Observation:
    return compile_of(seen.vocoder, str(options["compile_vocoder"]), seen)


def _device(options: Options, seen: ConversionSeen) -> Observation:
    devices = frozenset().union(*(model.devices for model in seen.models.values()))
    requested = str(options["device"])
    return Observation(
        observed=" and ".join(sorted(devices)),
        in_effect=len(devices) == 1 and next(iter(devices)) in (requested, f"{requested}:0"),
        reason="where weights and outputs lie",
    )


CONVERSION_CHECKS: Mapping[str, Check] = {
    "source": _source,
    "speaker": _speaker,
    "reference": _reference,
    "vocal_tract_search": _vocal_tract_search,
    "pitch_shift": _pitch_shift,
    "f0_method": _f0_method,
    "parallel_f0": _parallel_f0,
    "protect": _protect,
    "chunk_seconds": _chunk_seconds,
    "chunk_overlap_seconds": _chunk_overlap,
    "batch": _batch,
    "workers": _workers,
    "feature_cache": _feature_cache,
    "stream_block_ms": _stream_block,
    "stream_lookahead_ms": _stream_lookahead,
    "precision": _precision,
    **{f"precision_{name}": _precision_check(name) for name in MODELS},
    **{f"quantization_{name}": _quantization_check(name) for name in MODELS},
    **{f"runtime_{name}": _runtime_check(name) for name in MODELS},
    "compile": _compile,
    "compile_vocoder": _compile_vocoder,
    "device": _device,
    "threads": threads,
    "watermark": OUTPUT_CHECKS["watermark"],
}

OBSERVER = PipelineObserver(observe=observe_conversion, checks=CONVERSION_CHECKS)
