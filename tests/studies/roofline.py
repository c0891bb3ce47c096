"""
What a machine can do at most, what a model asks of it, and where its time goes: for
`speed_beside_reference.py`.

The roofline (Williams et al. 2009): a stage takes at least as long as its arithmetic at the speed
of a large matrix product, and at least as long as its bytes at the speed of a large copy.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

SQUARE = 2048
COPIED_BYTES = 2**28
"""Far beyond any cache."""
ROUNDS = 7
KINDS = {
    "matrix products": (
        "addmm",
        "mm",
        "bmm",
        "baddbmm",
        "linear",
        "_linear_pointwise",
        "_mkl_linear",
    ),
    "attention": ("attention",),
    "convolutions": ("convolution", "conv1d", "conv2d", "_convolution_pointwise"),
    "copies": (
        "copy_",
        "cat",
        "clone",
        "stack",
        "contiguous",
        "_to_copy",
        "fill_",
        "zero_",
        "zeros",
        "pad",
    ),
    "normalisation": ("layer_norm",),
    "Fourier": ("fft", "polar", "overlap_add", "unfold_backward"),
}
"""
Of operators, by the end of their name (`attention` and `fft` anywhere in it); all others are
arithmetic per element.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Measured: a fp32 matrix product of SQUARE, and a copy of COPIED_BYTES, read and written."""

    flops_per_s: float
    bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """
    Of one call: multiplications and additions, and the bytes if every layer read its input and
    weights and wrote once.
    """

    flops: float
    moved_bytes: float

    def least_s(self, machine: Machine) -> float:
        """Return the time of the roofline, in s."""
        return max(self.flops / machine.flops_per_s, self.moved_bytes / machine.bytes_per_s)


def timed_s(call: Callable[[], object]) -> float:
    """Time one call, on a CUDA device too."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


@torch.inference_mode()
def measure_machine(device: str) -> Machine:
    """Measure, the best of ROUNDS each: what disturbs only makes slower."""
    a, b, out = (torch.randn(SQUARE, SQUARE, device=device) for _ in range(3))
    source, target = (torch.ones(COPIED_BYTES // 4, device=device) for _ in range(2))
    product_s = min(timed_s(lambda: torch.mm(a, b, out=out)) for _ in range(ROUNDS))
    copy_s = min(timed_s(lambda: target.copy_(source)) for _ in range(ROUNDS))
    return Machine(flops_per_s=2 * SQUARE**3 / product_s, bytes_per_s=2 * COPIED_BYTES / copy_s)


def count_work(model: nn.Module, call: Callable[[], object]) -> Work:
    """
    Count what one call of the model asks for; in training mode, where every operation is a plain
    one that can be counted.
    """
    moved = 0

    def note(module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> None:
        nonlocal moved
        tensors = [x for x in (*inputs, output, *module.parameters()) if isinstance(x, Tensor)]
        moved += sum(x.numel() * x.element_size() for x in tensors)

    handles = [
        part.register_forward_hook(note) for part in model.modules() if not [*part.children()]
    ]
    was = model.training
    try:
        with (
            torch.enable_grad(),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            model.train()
            call()
    finally:
        model.train(was)
        for handle in handles:
            handle.remove()
    return Work(flops=counter.get_total_flops(), moved_bytes=moved)


def time_shares(call: Callable[[], object]) -> dict[str, float]:
    """
    Profile one call; gives the share of the time of every kind of operator, in the order of KINDS,
    and the rest.
    """
    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        call()
    spent = dict.fromkeys((*KINDS, "arithmetic per element and the rest"), 0.0)
    for row in profiled.key_averages():
        spent[_kind(row.key)] += row.self_cpu_time_total
    whole = sum(spent.values())
    return {kind: value / whole for kind, value in spent.items()}


def _kind(operator: str) -> str:
    name = operator.removeprefix("aten::").removeprefix("mkldnn::").removeprefix("mkl::")
    for kind, names in KINDS.items():
        if any(
            name.endswith(each) or (each in ("attention", "fft") and each in name) for each in names
        ):
            return kind
    return "arithmetic per element and the rest"


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
