"""
Set the arithmetic of a model: weights and activations change dtype.

Weights are stored as fp16 and widened on loading.
There is no autocast, so the dtype of an operation can be read off the weights.
"""

import torch
from torch import nn

from voxgate.engine.config import Precision
from voxgate.engine.passes import Applied

DTYPES = {
    Precision.FP32: torch.float32,
    Precision.TF32: torch.float32,
    Precision.BF16: torch.bfloat16,
    Precision.FP16: torch.float16,
}


def apply(models: dict[str, nn.Module], precision: Precision, option: str = "precision") -> Applied:
    """Convert the models in place and return a record of the pass."""
    dtype = DTYPES[precision]
    for model in models.values():
        model.to(dtype)
    torch.backends.cuda.matmul.allow_tf32 = precision is Precision.TF32
    torch.backends.cudnn.allow_tf32 = precision is Precision.TF32
    extra = ", TF32 matrix units on" if precision is Precision.TF32 else ""
    return Applied(
        option=option,
        requested=precision,
        effect=f"weights and activations of {' and '.join(models)} in "
        f"{str(dtype).removeprefix('torch.')}{extra}",
        reason="asked; the solver's state, the durations and the inverse STFT stay fp32",
    )
