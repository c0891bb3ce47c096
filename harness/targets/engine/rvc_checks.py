"""
The option checks of the pipeline `rvc`, of the record that `conversion_observer` makes.

Its frames are 10 ms, and its content's 20 ms. What other converting pipelines have too is checked
as theirs is.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from voxgate.engine.config import F0Method
from voxgate.engine.config.conversion import MODELS
from voxgate.engine.conversion.f0 import SINGING, estimate_f0
from voxgate.engine.conversion.source import load_source
from voxgate.engine.rvc.checkpoint import MODEL_FILES
from voxgate.engine.rvc.synthesizer import HIGHEST_HZ, LOWEST_HZ
from voxgate.harness.targets.engine.conversion_checks import CONVERSION_CHECKS
from voxgate.harness.targets.engine.conversion_observer import (
    ConversionRun,
    ConversionSeen,
    observe_conversion,
)
from voxgate.harness.targets.engine.hooks import dtype_name
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.protocol import Options

FRAME_RATE_HZ, CONTENT_FRAME, HUBERT_EDGE, LEAST_KEPT = 100, 320, 80, 6
OUTPUT, ROUNDED = "dec.conv_post.weight", 2.0**-8
"""The vocoder's last layer, and the relative difference that bf16 leaves of it."""
SHIFT_TOLERANCE = 0.5
"""Semitones: a step of the pitch numbers is up to 0.6 of one."""
SHARED = (
    "f0_method",
    "parallel_f0",
    "workers",
    "feature_cache",
    "precision",
    *(f"{kind}_{name}" for kind in ("precision", "quantization", "runtime") for name in MODELS),
    "compile",
    "compile_vocoder",
    "device",
    "threads",
    "watermark",
)


def _unseen(reason: str) -> Observation:
    return Observation(observed="not shown", in_effect=None, reason=reason)


def _frames(seen: ConversionSeen) -> int:
    return -(-seen.samples // CONTENT_FRAME) * 2


def _half(seconds: object) -> int:
    """Return content frames of a duration."""
    assert isinstance(seconds, int | float)
    return round(seconds * FRAME_RATE_HZ / 2)


def _chunks(frames: int, core: int) -> int:
    return len(range(0, frames - LEAST_KEPT, core)) if 0 < core < frames - LEAST_KEPT else 1


def _rows(run: ConversionRun, name: str) -> list[int]:
    """Return the rows of every call of a model, the fewest first."""
    return sorted(rows for rows, _ in run.shapes(name))


def _lengths(run: ConversionRun, name: str) -> set[int]:
    return {length for _, length in run.shapes(name)}


def _groups(count: int, size: int) -> list[int]:
    return sorted(min(size, count - first) for first in range(0, count, size))


def _expected(options: Options, seen: ConversionSeen) -> dict[str, tuple[int, int]]:
    """Return how many windows of how many frames each model sees, HuBERT's in samples."""
    core, pad, frames = (
        2 * _half(options["chunk_seconds"]),
        2 * _half(options["chunk_overlap_seconds"]),
        _frames(seen),
    )
    spoken, padded = _chunks(frames, core), frames + 2 * pad
    length = core + 2 * pad if spoken > 1 else padded
    content = _chunks(padded // 2, core // 2)
    heard = min(padded, core + 2 * pad) // 2 if content > 1 else padded // 2
    return {
        "content": (content, heard * CONTENT_FRAME + HUBERT_EDGE),
        "model": (spoken, length),
        "vocoder": (spoken, length),
    }


def _source(options: Options, seen: ConversionSeen) -> Observation:
    delivered = seen.output.delivered.size
    expected = seen.samples * seen.output.rate_hz / 16_000
    return Observation(
        observed=f"{delivered} samples of audio",
        in_effect=abs(delivered - expected) <= seen.output.rate_hz / 16_000 + 1,
        reason=f"the recording has {expected:.0f} at {seen.output.rate_hz} Hz",
    )


def _chunk_seconds(options: Options, seen: ConversionSeen) -> Observation:
    made = {name: sum(_rows(seen.run, name)) for name in MODELS}
    wanted = {name: count for name, (count, _) in _expected(options, seen).items()}
    return Observation(
        observed=", ".join(f"{name} {count}" for name, count in made.items()) + " chunks",
        in_effect=made == wanted,
        reason=f"{_frames(seen)} frames and their neighbours make {wanted}",
    )


def _chunk_overlap(options: Options, seen: ConversionSeen) -> Observation:
    made = {name: _lengths(seen.run, name) for name in MODELS}
    wanted = {name: {length} for name, (_, length) in _expected(options, seen).items()}
    return Observation(
        observed=", ".join(f"{name} {sorted(each)}" for name, each in made.items()),
        in_effect=made == wanted,
        reason="length of every call: samples of the content encoder, frames of the others",
    )


def _batch(options: Options, seen: ConversionSeen) -> Observation:
    size = max(1, int(options["batch"]))
    made = {name: _rows(seen.run, name) for name in MODELS}
    planned = {name: _groups(count, size) for name, (count, _) in _expected(options, seen).items()}
    return Observation(
        observed=f"{' + '.join(map(str, made['model']))} chunks in {len(made['model'])} passes",
        in_effect=made == planned,
        reason="rows of every call of the models",
    )


def _stream(options: Options, seen: ConversionSeen, *, name: str) -> Observation:
    return Observation(
        observed="the whole recording is known",
        in_effect=not options["stream_block_ms"],
        reason=f"{name} is for live audio, which this pipeline does not convert",
    )


def _inputs(run: ConversionRun, place: int) -> list[Tensor]:
    """Return an input of every row that the model was given, in a fixed order."""
    rows = [row.float().cpu() for call in run.rows.get("model", []) for row in call[place]]
    return sorted(rows, key=lambda row: (row.shape, float(row.double().sum())))


def _speaker(options: Options, seen: ConversionSeen) -> Observation:
    given = _inputs(seen.run, 2)
    table = seen.voice.synthesizer.emb_g.weight.float().cpu()
    found = {int((table - row).abs().amax(dim=-1).argmin()) for row in given}
    return Observation(
        observed=f"speaker {' and '.join(map(str, sorted(found))) or 'none'}",
        in_effect=found == {int(options["speaker"])},
        reason="the embedding that the model was given against the rows of the weights",
    )


def _pitch_shift(options: Options, seen: ConversionSeen) -> Observation:
    numbers = torch.cat([call[1].flatten() for call in seen.run.rows["model"]]).numpy()
    method = F0Method(str(options["f0_method"]))
    own = estimate_f0(load_source(str(options["source"])).audio, method, SINGING).median_hz()
    voiced = numbers[numbers > 1]
    if not voiced.size or not own:
        return _unseen("no frame has a pitch")
    lowest, highest = (1127.0 * math.log1p(hz / 700.0) for hz in (LOWEST_HZ, HIGHEST_HZ))
    mel = (float(np.median(voiced)) - 1.0) * (highest - lowest) / 254.0 + lowest
    shift = 12.0 * math.log2(700.0 * math.expm1(mel / 1127.0) / own)
    return Observation(
        observed=f"the median {shift:+.2f} semitones from the source's",
        in_effect=abs(shift - float(options["pitch_shift"])) <= SHIFT_TOLERANCE,
        reason="the pitch that the model was given",
    )


def _same_content(seen: ConversionSeen) -> bool:
    """Return whether the model's content is that of protect=0."""
    mine, guarded = _inputs(seen.run, 0), _inputs(seen.guarded, 0)
    return len(mine) == len(guarded) and all(map(torch.equal, mine, guarded))


def _index_rate(options: Options, seen: ConversionSeen) -> Observation:
    if seen.voice.index is None:
        return Observation(
            observed="no index", in_effect=not options["index_rate"], reason="of the voice"
        )
    same = _same_content(seen)
    if options["index_rate"] and (not options["protect"] or same):
        return _unseen("protect=0 would have to change frames without pitch, and does not")
    return Observation(
        observed="content without the index" if same else "content with the index",
        in_effect=same != bool(options["index_rate"]),
        reason="whether protect=0 changes the content that the model was given",
    )


def _protect(options: Options, seen: ConversionSeen) -> Observation:
    if seen.voice.index is None or not options["index_rate"]:
        return _unseen("without the index there is nothing to hold back")
    same = _same_content(seen)
    return Observation(
        observed=f"content {'as' if same else 'not as'} with protect=0",
        in_effect=same != bool(options["protect"]),
        reason="the content that the model was given, twice",
    )


def _rms_mix_rate(options: Options, seen: ConversionSeen) -> Observation:
    return _unseen("the level before the mix is not recorded")


def _seed(options: Options, seen: ConversionSeen) -> Observation:
    first = seen.run.rows["model"][0][3].float().cpu()
    frames = _frames(seen) + 4 * _half(options["chunk_overlap_seconds"])
    generator = torch.Generator().manual_seed(int(options["seed"]))
    drawn = torch.randn(frames, first.shape[-1], generator=generator)
    width = first.shape[1]
    places = [
        place
        for place in range(frames - width + 1)
        if torch.equal(drawn[place, :4], first[0, 0, :4])
    ]
    same = any(torch.equal(drawn[place : place + width], first[0]) for place in places)
    return Observation(
        observed=f"noise {'of' if same else 'not of'} this seed",
        in_effect=same,
        reason="the noise that the model was given",
    )


def _weights(options: Options, seen: ConversionSeen) -> Observation:
    if not options["weights"]:
        return _unseen("the voice was named otherwise")
    folder = Path(str(options["weights"]))
    stored, loaded = _stored_output(folder), seen.voice.decoder.conv_post.weight.float().cpu()
    apart = math.inf
    if stored is not None and stored.shape == loaded.shape:
        apart = float((stored - loaded).abs().max() / stored.abs().max())
    return Observation(
        observed=f"the last layer differs by {apart:.1e}",
        in_effect=apart <= ROUNDED,
        reason=f"from the file in {folder}",
    )


def _stored_output(folder: Path) -> Tensor | None:
    """Read the vocoder's last layer from the folder of a voice."""
    for path in map(folder.joinpath, MODEL_FILES):
        if path.exists():
            stored: Any = (
                load_file(path)
                if path.suffix == ".safetensors"
                else torch.load(path, "cpu", weights_only=True)["weight"]
            )
            layer: Tensor = stored[OUTPUT]
            return layer.float()
    return None


def _precision(options: Options, seen: ConversionSeen, *, name: str) -> Observation:
    """Check an arithmetic; the vocoder's is that of its latents, since its audio is fp32."""
    given = Counter(dtype_name(call[0].dtype) for call in seen.run.rows.get("vocoder", []))
    vocoder = replace(seen.models["vocoder"], activation_dtypes=given)
    models = {**seen.models, "vocoder": vocoder}
    return CONVERSION_CHECKS[name](options, replace(seen, models=models))


RVC_CHECKS: Mapping[str, Check] = {
    "weights": _weights,
    "source": _source,
    "speaker": _speaker,
    "pitch_shift": _pitch_shift,
    "index_rate": _index_rate,
    "protect": _protect,
    "rms_mix_rate": _rms_mix_rate,
    "chunk_seconds": _chunk_seconds,
    "chunk_overlap_seconds": _chunk_overlap,
    "batch": _batch,
    "stream_block_ms": partial(_stream, name="stream_block_ms"),
    "stream_lookahead_ms": partial(_stream, name="stream_lookahead_ms"),
    "seed": _seed,
    **{name: CONVERSION_CHECKS[name] for name in SHARED},
    **{name: partial(_precision, name=name) for name in ("precision", "precision_vocoder")},
}

OBSERVER = PipelineObserver(observe=partial(observe_conversion, rehearses=False), checks=RVC_CHECKS)
