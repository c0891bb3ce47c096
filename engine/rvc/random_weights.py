"""
Write random weights in the layout of a published RVC voice with its HuBERT.

They sound like noise, because they are not trained.
For tests, for measuring speed at the published sizes, and for trying the pipeline before the
download.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from voxgate.engine.errors import EngineError
from voxgate.engine.rvc.checkpoint import DECODER, HUBERT_FILES, LAYER_OF, MODEL_FILES
from voxgate.engine.rvc.hubert import Hubert, HubertShape
from voxgate.engine.rvc.nsf_decoder import LatentUpsample, NsfDecoder, NsfShape, ResidualConv
from voxgate.engine.rvc.synthesizer import (
    CONTENT_WIDTHS,
    GatedConv,
    NormedPointwise,
    Synthesizer,
    SynthesizerShape,
)
from voxgate.engine.weights.weight_norm import (
    DIRECTION,
    GAIN,
    OLD_DIRECTION,
    OLD_GAIN,
    unfold_weight,
)

SPEC_CHANNELS, SEGMENT_FRAMES = 1025, 32
NOTICE = """These are random numbers in the layout of a published RVC voice and of HuBERT-base. They are no voice: what they
say is noise. Written by `python -m voxgate.engine random-weights`.
"""  # noqa: E501


@dataclass(frozen=True, slots=True, kw_only=True)
class RvcSizes:
    """Sizes of a voice."""

    version: str = "v2"
    synthesizer: SynthesizerShape
    hubert: HubertShape


def _sizes(
    version: str, rate_hz: int, rates: tuple[int, ...], kernels: tuple[int, ...]
) -> RvcSizes:
    decoder = NsfShape(rate_hz=rate_hz, up_rates=rates, up_kernels=kernels)
    content = CONTENT_WIDTHS[version]
    return RvcSizes(
        version=version,
        synthesizer=SynthesizerShape(content=content, decoder=decoder),
        hubert=HubertShape(projection=content if version == "v1" else 0),
    )


PUBLISHED = {
    "v2-48k": _sizes("v2", 48_000, (12, 10, 2, 2), (24, 20, 4, 4)),
    "v2-40k": _sizes("v2", 40_000, (10, 10, 2, 2), (16, 16, 4, 4)),
    "v2-32k": _sizes("v2", 32_000, (10, 8, 2, 2), (20, 16, 4, 4)),
    "v1-48k": _sizes("v1", 48_000, (10, 6, 2, 2, 2), (16, 16, 4, 4, 4)),
    "v1-40k": _sizes("v1", 40_000, (10, 10, 2, 2), (16, 16, 4, 4)),
    "v1-32k": _sizes("v1", 32_000, (10, 4, 2, 2, 2), (16, 16, 4, 4, 4)),
}
"""By version and sample rate."""
KINDS = {
    "rvc": "v2-48k",
    "rvc-40k": "v2-40k",
    "rvc-32k": "v2-32k",
    "rvc-v1": "v1-40k",
}
"""Kinds of the command `random-weights`."""


def small_sizes(sizes: RvcSizes) -> RvcSizes:
    """Return sizes of the same version, rate and content width, and few layers and channels."""
    decoder = sizes.synthesizer.decoder
    synthesizer = SynthesizerShape(
        content=sizes.synthesizer.content,
        latent=16,
        width=16,
        hidden=32,
        layers=2,
        speakers=4,
        decoder=NsfShape(
            rate_hz=decoder.rate_hz,
            latent=16,
            speaker_width=8,
            width=32,
            up_rates=decoder.up_rates,
            up_kernels=decoder.up_kernels,
        ),
    )
    is_projected = sizes.hubert.projection > 0
    hubert = HubertShape(
        width=64 if is_projected else sizes.synthesizer.content,
        heads=4 if is_projected else 12,
        layers=LAYER_OF[sizes.version],
        hidden=64,
        channels=(32,) * 7,
        position_kernel=16,
        projection=sizes.hubert.projection,
    )
    return RvcSizes(version=sizes.version, synthesizer=synthesizer, hubert=hubert)


def write_random_rvc(folder: Path, sizes: RvcSizes, *, seed: int = 0) -> None:
    """
    Write synthesiser, HuBERT with its configuration, and a notice into a folder.

    Raises: EngineError for a folder that is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise EngineError(f"folder {folder} is not empty; name another, or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    weights = dict(published_synthesizer(sizes.synthesizer, generator))
    checkpoint = {
        "weight": {name: value.half() for name, value in weights.items()},
        "config": published_config(sizes.synthesizer),
        "info": "random",
        "sr": f"{sizes.synthesizer.decoder.rate_hz // 1000}k",
        "f0": 1,
        "version": sizes.version,
    }
    torch.save(checkpoint, folder / MODEL_FILES[0])
    hubert = published_hubert(sizes.hubert, generator)
    save_file({name: value.half() for name, value in hubert}, folder / HUBERT_FILES[0])
    described = json.dumps(published_hubert_config(sizes.hubert), indent=2)
    (folder / "config.json").write_text(described, encoding="utf-8")
    (folder / "README.txt").write_text(NOTICE, encoding="utf-8")


def published_synthesizer(
    shape: SynthesizerShape, generator: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """Yield random tensors under their published names, weight normalisation included."""
    kinds = (ResidualConv, LatentUpsample, GatedConv, NormedPointwise)
    for model, prefix in ((Synthesizer(shape), ""), (NsfDecoder(shape.decoder), DECODER)):
        normed = {name for name, part in model.named_modules() if isinstance(part, kinds)}
        for name, weight in _randomised(model, generator):
            layer, _, kind = name.rpartition(".")
            if kind == "weight" and layer in normed:
                gain, direction = unfold_weight(weight)
                yield f"{prefix}{layer}.{OLD_GAIN}", gain
                yield f"{prefix}{layer}.{OLD_DIRECTION}", direction
            else:
                yield prefix + name, weight


def published_config(shape: SynthesizerShape) -> list[Any]:
    """Return the list `config` of a checkpoint."""
    decoder = shape.decoder
    return [
        SPEC_CHANNELS,
        SEGMENT_FRAMES,
        shape.latent,
        shape.width,
        shape.hidden,
        shape.heads,
        shape.layers,
        shape.kernel,
        0,
        "1",
        list(decoder.kernels),
        [list(each) for each in decoder.dilations],
        list(decoder.up_rates),
        decoder.width,
        list(decoder.up_kernels),
        shape.speakers,
        decoder.speaker_width,
        decoder.rate_hz,
    ]


def published_hubert(
    shape: HubertShape, generator: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """Yield random tensors under transformers' names, weight normalisation included."""
    position = "encoder.pos_conv_embed.conv."
    for name, weight in _randomised(Hubert(shape), generator):
        if name == f"{position}weight":
            gain, direction = unfold_weight(weight, axis=2)
            yield f"{position}{GAIN}", gain
            yield f"{position}{DIRECTION}", direction
        else:
            yield name, weight
    yield "masked_spec_embed", torch.rand(shape.width, generator=generator)


def published_hubert_config(shape: HubertShape) -> dict[str, Any]:
    """Return the part of transformers' config.json that describes the network."""
    return {
        "model_type": "hubert",
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.hidden,
        "conv_dim": list(shape.channels),
        "conv_kernel": list(shape.kernels),
        "conv_stride": list(shape.strides),
        "num_conv_pos_embeddings": shape.position_kernel,
        "num_conv_pos_embedding_groups": shape.position_groups,
        "layer_norm_eps": shape.eps,
        "feat_extract_norm": "group",
        "do_stable_layer_norm": False,
    }


def _randomised(model: nn.Module, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    """Yield a model's tensors with numbers large enough for every layer to have an effect."""
    for name, weight in model.state_dict().items():
        scale = 0.02 if weight.ndim < 2 else 1.0 / math.sqrt(weight[0].numel())
        centre = 1.0 if name.endswith(("norm.weight", "gamma")) else 0.0
        yield name, centre + scale * torch.randn(weight.shape, generator=generator)
