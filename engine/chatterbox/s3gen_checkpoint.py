"""
Load `s3gen.safetensors` as it is published, strictly, and save models in that layout.

Sizes follow from the tensors' shapes.
Two tensors are formulas that published files leave out (`FORMULAS`); present, they must agree.
Weight normalisation is folded into the weights, and the counters of batch normalisation, which
training alone reads, are checked by name and dropped.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from voxgate.engine.chatterbox.campplus import InferenceBatchNorm
from voxgate.engine.chatterbox.hift import NormedConv, NormedUpsample
from voxgate.engine.chatterbox.s3_tokenizer import N_FFT, S3TokenizerShape, mel_filters
from voxgate.engine.chatterbox.s3gen import S3Gen, S3GenShape
from voxgate.engine.chatterbox.s3gen_flow import HEAD_WIDTH, EstimatorShape
from voxgate.engine.errors import EngineError
from voxgate.engine.weights.tensor_file import read_tensors
from voxgate.engine.weights.voice import build_empty, fill_model
from voxgate.engine.weights.weight_norm import (
    DIRECTION,
    GAIN,
    fold_weight_norm,
    unfold_weight,
)

LAYOUT = "a checkpoint of Chatterbox's S3Gen"
FORMULAS = ("tokenizer._mel_filters", "tokenizer.window")
COUNTER = "num_batches_tracked"
ESTIMATOR = "flow.decoder.estimator."
FORMULA_TOLERANCE = 1e-5
MAX_NAMES = 3


def load_s3gen(path: Path) -> S3Gen:
    """
    Load the four models, fp32 on the CPU.

    Raises: EngineError for an unreadable file, and for tensors that are missing, unknown,
    misshapen or not finite.
    """
    tensors = read_tensors(path)
    shape = _shape(path, tensors)
    layout = published_layout(build_empty(path, lambda: S3Gen(shape)))
    _check_names(path, layout, tensors)
    _check_formulas(path, tensors)
    dropped = {*FORMULAS, *(name for name in layout if name.endswith(COUNTER))}
    kept = {name: value for name, value in tensors.items() if name not in dropped}
    return fill_model(path, lambda: S3Gen(shape), fold_weight_norm(path, kept), LAYOUT)


def published_layout(model: S3Gen) -> dict[str, str]:
    """Return every published name with the name of its tensor here, empty for a counter."""
    layout = {name: name for name in model.state_dict()}
    for module_name, module in model.named_modules():
        if isinstance(module, NormedConv | NormedUpsample):
            weight = f"{module_name}.weight"
            del layout[weight]
            layout |= {f"{module_name}.{part}": weight for part in (GAIN, DIRECTION)}
        elif isinstance(module, InferenceBatchNorm):
            layout[f"{module_name}.{COUNTER}"] = ""
    return layout


def published_tensors(model: S3Gen) -> dict[str, Tensor]:
    """Return the model's tensors as they are published, without the two formulas."""
    state, tensors = model.state_dict(), {}
    for name, source in published_layout(model).items():
        if not source:
            tensors[name] = torch.tensor(0)
        elif name.endswith(GAIN):
            tensors[name], _ = unfold_weight(state[source])
        else:
            tensors[name] = state[source].contiguous()
    return tensors


def _shape(path: Path, tensors: Mapping[str, Tensor]) -> S3GenShape:
    """Return the sizes that the tensors' shapes and numbers imply."""

    def size(name: str, axis: int = 0) -> int:
        if name not in tensors or tensors[name].ndim <= axis:
            raise EngineError(f"weights {path}: missing tensors {name}; not {LAYOUT}")
        return tensors[name].shape[axis]

    first = f"{ESTIMATOR}down_blocks.0.1."
    return S3GenShape(
        tokenizer=S3TokenizerShape(
            width=_multiple(size("tokenizer.encoder.conv1.weight"), HEAD_WIDTH),
            layers=_count(tensors, "tokenizer.encoder.blocks."),
        ),
        layers=_count(tensors, "flow.encoder.encoders."),
        up_layers=_count(tensors, "flow.encoder.up_encoders."),
        estimator=EstimatorShape(
            width=size(f"{ESTIMATOR}final_proj.weight", 1),
            heads=size(f"{first}0.attn1.to_q.weight") // HEAD_WIDTH,
            middle=_count(tensors, f"{ESTIMATOR}mid_blocks."),
            blocks=_count(tensors, first),
        ),
        hift_width=size(f"mel2wav.conv_pre.{DIRECTION}"),
    )


def _multiple(size: int, unit: int) -> int:
    """Round down to whole units, at least one; a foreign size then fails as a wrong shape."""
    return max(unit, size // unit * unit)


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Return how many numbered parts have tensors, of which a gap's are missing later."""
    numbers = {
        name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)
    }
    return len({number for number in numbers if number.isdecimal()})


def _check_names(path: Path, layout: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    missing = sorted(layout.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - layout.keys() - set(FORMULAS))
    if not missing and not unknown:
        return
    wrong = [
        f"{problem} tensors {', '.join(names[:MAX_NAMES])}{_rest(names)}"
        for problem, names in (("missing", missing), ("unknown", unknown))
        if names
    ]
    raise EngineError(f"weights {path}: {', '.join(wrong)}; not {LAYOUT}")


def _rest(names: list[str]) -> str:
    return f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""


def _check_formulas(path: Path, tensors: Mapping[str, Tensor]) -> None:
    expected = (mel_filters(), torch.hann_window(N_FFT))
    for name, value in zip(FORMULAS, expected, strict=True):
        given = tensors.get(name, value)
        if given.shape != value.shape or not torch.allclose(
            given.float(), value, rtol=0.0, atol=FORMULA_TOLERANCE
        ):
            raise EngineError(
                f"weights {path}: {name} is not that of the tokeniser's formula; leave it out, as "
                "published files do"
            )
