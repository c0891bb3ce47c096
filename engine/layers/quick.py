"""
When operations may be used that only inference on a CPU has, and that are quicker there.

Training, exporting and other devices take the plain operations; what both say is the same but for rounding
(`tests/engine/pipelines/test_equal_output.py`).
"""

import functools

import torch
from torch import Tensor


def infers_on_cpu(x: Tensor) -> bool:
    """Tell whether x is computed with on a CPU, without gradients and without being traced for an export."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not traced


def may_be_quick(x: Tensor) -> bool:
    """Tell whether x is so computed with, and eagerly: torch.compile is not to see what it cannot look into."""
    return not torch.compiler.is_compiling() and infers_on_cpu(x)


@functools.cache
def has_onednn() -> bool:
    """Tell whether oneDNN's products may be called: an operator meant for torch.compile, tried on x86 with AVX alone."""
    vectors = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return vectors and torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
