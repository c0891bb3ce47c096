"""
When the arithmetic of eager inference in fp32 on a CPU may be used: operations that are quicker there, and only there.

Training, compiling, exporting, quantised weights and other devices take the plain operations; what both say is the same but
for rounding (`tests/engine/test_equal_output.py`).
"""

import functools

import torch
from torch import Tensor


def may_be_quick(x: Tensor) -> bool:
    """Tell whether x is computed with eagerly, without gradients, in fp32 on a CPU."""
    plain = torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.is_grad_enabled()
    return not plain and x.dtype is torch.float32 and x.device.type == "cpu"


@functools.cache
def has_onednn() -> bool:
    """Tell whether this build of torch has oneDNN's products as an operator; it is meant for torch.compile, and x86 alone."""
    return (
        torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability().startswith("AVX")
        and (hasattr(torch.ops.mkldnn, "_linear_pointwise"))
    )
