"""
A Linear layer, with or without GELU behind it, as one operation of oneDNN where that may be used.

On an AMD CPU oneDNN's product is quicker than MKL's, which torch would take, and it applies GELU
while the result is in the registers. Small weights are kept in oneDNN's own layout; large ones are
laid out anew at each call, which costs little beside so large a product and does not double a model
of gigabytes.

When operations may be used that only inference on a CPU has, and that are quicker there.

Training, exporting and other devices take the plain operations; what both say is the same but for
rounding (`tests/engine/pipelines/test_equal_output.py`).
"""

import functools

import torch
from torch import Tensor, nn

FEW_ROWS = 16
"""Below, oneDNN gains nothing and would make a kernel for every count of rows."""
KEPT_BYTES = 4_000_000
"""
Holds the layers of the embedded voice and of Vocos, and not those of F5-TTS at its published size:
1.3 GB once more.
"""
DTYPES = (torch.float32, torch.bfloat16)


class Linear(nn.Linear):
    """nn.Linear; parameters, names and results are its."""

    approximate: str | None = None
    """Of the GELU behind it, in torch's words; None without GELU."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(inside, outside)
        self._kept: tuple[Tensor, int, Tensor] | None = None
        """The weight, its version and its copy in oneDNN's layout."""

    def __getstate__(self) -> dict[str, object]:
        """
        Leave out the copy of the weight when the layer is copied: it cannot be copied itself, and
        is made anew.
        """
        return {**self.__dict__, "_kept": None}

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        if self._may_be_one(x):
            name, how = ("none", "") if self.approximate is None else ("gelu", self.approximate)
            product: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._laid_out(), self.bias, name, [], how
            )
            return product
        plain = nn.functional.linear(x, self.weight, self.bias)
        return (
            plain
            if self.approximate is None
            else nn.functional.gelu(plain, approximate=self.approximate)
        )

    def _may_be_one(self, x: Tensor) -> bool:
        own = type(self.weight) is nn.Parameter and x.dtype is self.weight.dtype  # not quantised
        large = x.numel() >= FEW_ROWS * self.in_features
        return own and large and x.dtype in DTYPES and can_use_onednn(x) and has_onednn()

    def _laid_out(self) -> Tensor:
        """
        Give the weight in oneDNN's layout, if it is small; made anew when the weight was replaced
        or written to.
        """
        weight = self.weight.detach()
        if weight.numel() * weight.element_size() > KEPT_BYTES:
            return weight
        version = 0 if weight.is_inference() else weight._version
        if (
            self._kept is None
            or self._kept[0].data_ptr() != weight.data_ptr()
            or self._kept[1] != version
        ):
            self._kept = weight, version, torch.ops.mkldnn._reorder_linear_weight(weight)
        return self._kept[2]


class LinearGelu(Linear):
    """A Linear layer with GELU behind it, exact ("none") or by tanh."""

    def __init__(self, inside: int, outside: int, approximate: str = "none") -> None:
        super().__init__(inside, outside)
        self.approximate = approximate


def infers_on_cpu(x: Tensor) -> bool:
    """
    Tell whether x is computed with on a CPU, without gradients and without being traced for an
    export.
    """
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not traced


def can_use_onednn(x: Tensor) -> bool:
    """
    Tell whether x is so computed with, and eagerly: torch.compile is not to see what it cannot look
    into.
    """
    return not torch.compiler.is_compiling() and infers_on_cpu(x)


@functools.cache
def has_onednn() -> bool:
    """
    Tell whether oneDNN's products may be called: an operator meant for torch.compile, tried on x86
    with AVX alone.
    """
    vectors = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return vectors and torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
