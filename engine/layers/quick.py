"""
When operations may be used that only eager inference on a CPU has, and that are quicker there.

Training, compiling, exporting and other devices take the plain operations; what both say is the same but for rounding
(`tests/engine/test_equal_output.py`).
"""

import functools

import torch
from torch import Tensor


def may_be_quick(x: Tensor) -> bool:
    """Tell whether x is computed with eagerly and without gradients on a CPU."""
    plain = torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_grad_enabled()
    return not plain and x.device.type == "cpu"


@functools.cache
def has_onednn() -> bool:
    """Tell whether oneDNN's products may be called: an operator meant for torch.compile, tried on x86 with AVX alone."""
    vectors = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return vectors and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
