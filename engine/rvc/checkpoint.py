"""
Load a voice of RVC from its folder, strictly: `model.pth` as it is published, or
`model.safetensors` with `model.json`; HuBERT or ContentVec; and an index of features where there
is one.

The files are a stranger's: nothing in them is run, and their declarations cost nothing until their
tensors confirm them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from voxgate.engine.errors import EngineError
from voxgate.engine.rvc.hubert import Hubert
from voxgate.engine.rvc.hubert_checkpoint import load_hubert, read_json, shown
from voxgate.engine.rvc.index import FeatureIndex, load_index
from voxgate.engine.rvc.nsf_decoder import NsfDecoder, NsfShape
from voxgate.engine.rvc.synthesizer import (
    CONTENT_WIDTHS,
    FRAME_RATE_HZ,
    Synthesizer,
    SynthesizerShape,
)
from voxgate.engine.weights.tensor_file import read_content, tensors_of
from voxgate.engine.weights.voice import fill_model
from voxgate.engine.weights.weight_norm import fold_weight_norm

LAYOUT = "a synthesiser of RVC with F0"
MODEL_FILES = ("model.pth", "model.safetensors")
HUBERT_FILES = ("hubert.safetensors", "hubert.bin", "hubert.pt")
CONFIG = (
    "spec_channels",
    "segment_size",
    "inter_channels",
    "hidden_channels",
    "filter_channels",
    "n_heads",
    "n_layers",
    "kernel_size",
    "p_dropout",
    "resblock",
    "resblock_kernel_sizes",
    "resblock_dilation_sizes",
    "upsample_rates",
    "upsample_initial_channel",
    "upsample_kernel_sizes",
    "spk_embed_dim",
    "gin_channels",
    "sr",
)
"""The names of the list `config` in a checkpoint."""
RATES = {"32k": 32_000, "40k": 40_000, "48k": 48_000}
LAYER_OF = {"v1": 9, "v2": 12}
"""Layer of HuBERT whose states a version reads."""
MOST_WIDTH, MOST_COUNT, MOST_KERNEL = 2**13, 64, 1024
DECODER = "dec."
POSTERIOR = "enc_q."
"""Of training alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RvcVoice:
    """The models of a voice, fp32 on the CPU."""

    hubert: Hubert
    synthesizer: Synthesizer
    decoder: NsfDecoder
    index: FeatureIndex | None
    version: str


def load_rvc(folder: Path) -> RvcVoice:
    """
    Load a voice.

    Raises: EngineError for a file that is missing, unreadable or foreign, for a tensor that is
    missing, unknown or misshapen, and for models that do not fit each other.
    """
    synthesizer, decoder, version = load_synthesizer(_one_of(folder, MODEL_FILES))
    path = _one_of(folder, HUBERT_FILES)
    hubert = load_hubert(path, projected=version == "v1")
    layer, content = LAYER_OF[version], synthesizer.shape.content
    given = hubert.shape.projection if version == "v1" else hubert.shape.width
    if hubert.shape.layers < layer or given != content:
        needed = f"final_proj to {content}" if version == "v1" else f"states of {content}"
        raise EngineError(
            f"weights {path} do not fit the synthesiser: RVC {version} reads layer {layer} and "
            f"{needed}, and the file has {hubert.shape.layers} layers and "
            f"{given or 'no final_proj'}; give the HuBERT or ContentVec that it was trained with"
        )
    hubert.output_layer = layer
    index = load_index(folder, content)
    return RvcVoice(
        hubert=hubert, synthesizer=synthesizer, decoder=decoder, index=index, version=version
    )


def _one_of(folder: Path, names: Sequence[str]) -> Path:
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise EngineError(
            f"voice {folder} has no {' or '.join(names)}; a voice of RVC is a folder with "
            f"{MODEL_FILES[0]} and {HUBERT_FILES[0]}"
        )
    return found


def load_synthesizer(path: Path) -> tuple[Synthesizer, NsfDecoder, str]:
    """
    Load a synthesiser as its two halves, fp32 on the CPU, and its version.

    Raises: EngineError as `load_rvc` does.
    """
    described, tensors = _read(path)
    version = described.get("version", "v1")
    if not isinstance(version, str) or version not in CONTENT_WIDTHS:
        raise EngineError(
            f"weights {path}: version is {shown(version)}, expected {' or '.join(CONTENT_WIDTHS)}"
        )
    if described.get("f0", 1) not in (1, True):
        raise EngineError(
            f"weights {path}: f0 is {shown(described['f0'])}; a synthesiser without F0 (its "
            "decoder has no source) is not supported, give one that was trained with F0"
        )
    kept = {name: value for name, value in tensors.items() if not name.startswith(POSTERIOR)}
    shape = _shape(path, described.get("config"), kept, version)
    folded = fold_weight_norm(path, kept)
    front = {name: value for name, value in folded.items() if not name.startswith(DECODER)}
    back = {name.removeprefix(DECODER): folded[name] for name in folded.keys() - front.keys()}
    return (
        fill_model(path, lambda: Synthesizer(shape), front, LAYOUT),
        fill_model(path, lambda: NsfDecoder(shape.decoder), back, f"{LAYOUT} (its dec.)"),
        version,
    )


def _read(path: Path) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """Return what describes a synthesiser, and its tensors."""
    content = read_content(path)
    if path.suffix == ".safetensors":
        return read_json(path.with_suffix(".json")), tensors_of(path, content)
    if not isinstance(content, Mapping) or not {"weight", "config"} <= content.keys():
        raise EngineError(
            f"weights {path} hold no weight and config; give the small file that RVC writes for "
            "inference, not one of training (G_*.pth)"
        )
    return content, tensors_of(path, content["weight"])


class _Values:
    """The list `config` of a checkpoint, each value checked when it is asked for."""

    def __init__(self, path: Path, config: object) -> None:
        if not isinstance(config, list | tuple) or len(config) != len(CONFIG):
            count = len(config) if isinstance(config, list | tuple) else "no"
            raise EngineError(f"weights {path}: config has {count} values, expected {len(CONFIG)}")
        self.path, self._values = path, dict(zip(CONFIG, config, strict=True))

    def number(self, name: str, largest: int) -> int:
        """Return a whole number above 0."""
        return self._whole(name, self._values[name], largest)

    def numbers(self, name: str, largest: int) -> tuple[int, ...]:
        """Return a list of whole numbers above 0."""
        return self._wholes(name, self._values[name], largest)

    def lists(self, name: str, largest: int) -> tuple[tuple[int, ...], ...]:
        """Return a list of lists of whole numbers above 0."""
        value = self._list(name, self._values[name])
        return tuple(self._wholes(name, each, largest) for each in value)

    def raw(self, name: str) -> Any:
        """Return a value as it is."""
        return self._values[name]

    def refuse(self, name: str, value: object, expected: str) -> EngineError:
        """Return the error for a value."""
        return EngineError(
            f"weights {self.path}: {name} of config is {shown(value)}, expected {expected}"
        )

    def _wholes(self, name: str, value: object, largest: int) -> tuple[int, ...]:
        return tuple(self._whole(name, each, largest) for each in self._list(name, value))

    def _list(self, name: str, value: object) -> Sequence[Any]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_COUNT:
            raise self.refuse(name, value, f"a list of 1 to {MOST_COUNT} values")
        return value

    def _whole(self, name: str, value: object, largest: int) -> int:
        if type(value) is not int or not 1 <= value <= largest:
            raise self.refuse(name, value, f"a whole number from 1 to {largest}")
        return value


def _shape(
    path: Path, config: object, tensors: Mapping[str, Tensor], version: str
) -> SynthesizerShape:
    """Return the sizes of the configuration; rows of speakers and positions are the tensors'."""
    values = _Values(path, config)
    if values.raw("resblock") != "1":
        raise values.refuse("resblock", values.raw("resblock"), "'1', the only published one")
    speakers = _axis(path, tensors, "emb_g.weight", 2, 0)
    positions = _axis(path, tensors, "enc_p.encoder.attn_layers.0.emb_rel_k", 3, 1)
    width, heads = (values.number(name, MOST_WIDTH) for name in ("hidden_channels", "n_heads"))
    latent = values.number("inter_channels", MOST_WIDTH)
    if width % heads or latent % 2:
        raise values.refuse("n_heads", heads, f"a divisor of {width}, and an even inter_channels")
    return SynthesizerShape(
        content=CONTENT_WIDTHS[version],
        latent=latent,
        width=width,
        hidden=values.number("filter_channels", MOST_WIDTH),
        heads=heads,
        layers=values.number("n_layers", MOST_COUNT),
        kernel=values.number("kernel_size", MOST_KERNEL),
        window=positions // 2,
        speakers=speakers,
        decoder=_decoder_shape(values, latent),
    )


def _decoder_shape(values: _Values, latent: int) -> NsfShape:
    rate = values.raw("sr")
    rate_hz = RATES.get(rate) if isinstance(rate, str) else values.number("sr", 96_000)
    kernels = values.numbers("resblock_kernel_sizes", MOST_KERNEL)
    dilations = values.lists("resblock_dilation_sizes", MOST_KERNEL)
    rates = values.numbers("upsample_rates", MOST_KERNEL)
    up_kernels = values.numbers("upsample_kernel_sizes", MOST_KERNEL)
    width = values.number("upsample_initial_channel", MOST_WIDTH)
    if rate_hz is None or math.prod(rates) * FRAME_RATE_HZ != rate_hz:
        product = f"{FRAME_RATE_HZ} times the product of upsample_rates"
        raise values.refuse("sr", rate, f"{product} ({FRAME_RATE_HZ * math.prod(rates)})")
    if len(kernels) != len(dilations) or any(kernel % 2 == 0 for kernel in kernels):
        raise values.refuse("resblock_kernel_sizes", kernels, "odd numbers, one per dilation list")
    pairs = zip(up_kernels, rates, strict=False)
    if len(up_kernels) != len(rates) or any(k < r or (k - r) % 2 for k, r in pairs):
        raise values.refuse(
            "upsample_kernel_sizes", up_kernels, "one per rate, larger by an even number"
        )
    odd = [math.prod(rates[level:]) % 2 for level in range(1, len(rates))]
    if any(odd) or width % 2 ** len(rates):
        raise values.refuse(
            "upsample_rates", rates, f"even ones behind the first, and to halve {width} by each"
        )
    return NsfShape(
        rate_hz=rate_hz,
        latent=latent,
        speaker_width=values.number("gin_channels", MOST_WIDTH),
        width=width,
        up_rates=rates,
        up_kernels=up_kernels,
        kernels=kernels,
        dilations=dilations,
    )


def _axis(path: Path, tensors: Mapping[str, Tensor], name: str, dimensions: int, axis: int) -> int:
    if name not in tensors or tensors[name].ndim != dimensions or not tensors[name].shape[axis]:
        raise EngineError(f"weights {path}: missing tensors {name}; not {LAYOUT}")
    return tensors[name].shape[axis]
