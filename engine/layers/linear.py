"""
Linear layer, optionally with GELU, as one fused oneDNN operation where possible.

On an AMD CPU oneDNN's matrix product is faster than MKL's, torch's default, and it applies GELU
while the result is in registers.
Small weights are cached in oneDNN's own layout.
Large ones are reordered at each call, which is cheap beside so large a product and does not double
the memory of a model of gigabytes.

Fused operations are for inference on a CPU only.
Training, export and other devices use the plain operations, with the same result up to rounding
(`tests/engine/pipelines/test_equal_output.py`).
"""

import functools

import torch
from torch import Tensor, nn

MIN_ROWS = 16
"""Below, oneDNN gains nothing and would compile a kernel for every number of rows."""
MAX_CACHED_BYTES = 4_000_000
"""
Includes the layers of the embedded voice and of Vocos, but not those of F5-TTS at its published
size.

Caching those would take another 1.3 GB.
"""
DTYPES = (torch.float32, torch.bfloat16)


class Linear(nn.Linear):
    """nn.Linear with the same parameters, names and results."""

    approximate: str | None = None
    """Kind of the GELU behind the layer, in torch's terms; None without GELU."""

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self._cached: tuple[Tensor, int, Tensor] | None = None
        """The weight, its version and its copy in oneDNN's layout."""

    def __getstate__(self) -> dict[str, object]:
        """
        Return the state without the reordered weight, which cannot be copied and is recomputed.
        """
        return {**self.__dict__, "_cached": None}

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        if self._can_fuse(x):
            name, algorithm = (
                ("none", "") if self.approximate is None else ("gelu", self.approximate)
            )
            product: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._onednn_weight(), self.bias, name, [], algorithm
            )
            return product
        plain = nn.functional.linear(x, self.weight, self.bias)
        return (
            plain
            if self.approximate is None
            else nn.functional.gelu(plain, approximate=self.approximate)
        )

    def _can_fuse(self, x: Tensor) -> bool:
        is_plain = (
            type(self.weight) is nn.Parameter and x.dtype is self.weight.dtype
        )  # not quantised
        has_rows = x.numel() >= MIN_ROWS * self.in_features
        return is_plain and has_rows and x.dtype in DTYPES and can_use_onednn(x) and has_onednn()

    def _onednn_weight(self) -> Tensor:
        """
        Return the weight in oneDNN's layout, if it is small.

        Reordered again after the weight was replaced or written to.
        """
        weight = self.weight.detach()
        if weight.numel() * weight.element_size() > MAX_CACHED_BYTES:
            return weight
        version = 0 if weight.is_inference() else weight._version
        if (
            self._cached is None
            or self._cached[0].data_ptr() != weight.data_ptr()
            or self._cached[1] != version
        ):
            self._cached = weight, version, torch.ops.mkldnn._reorder_linear_weight(weight)
        return self._cached[2]


class LinearGelu(Linear):
    """A Linear layer followed by GELU, exact ("none") or by tanh."""

    def __init__(self, in_features: int, out_features: int, approximate: str = "none") -> None:
        super().__init__(in_features, out_features)
        self.approximate = approximate


def project(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x weight^T + bias over the last axis, for a weight that is no layer's own."""
    if x.dtype is torch.float32 and can_use_onednn(x) and has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product
    return nn.functional.linear(x, weight, bias)


def infers_on_cpu(x: Tensor) -> bool:
    """
    Return whether x is computed on a CPU, without gradients and without tracing for an export.
    """
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not traced


def can_use_onednn(x: Tensor) -> bool:
    """
    Return whether oneDNN operations may be used: inference on a CPU, in eager mode.

    torch.compile cannot look into them.
    """
    return not torch.compiler.is_compiling() and infers_on_cpu(x)


@functools.cache
def has_onednn() -> bool:
    """
    Return whether oneDNN's linear operator exists.

    It is meant for torch.compile, and was tried on x86 with AVX alone.
    """
    vectors = torch.backends.cpu.get_cpu_capability().startswith("AVX")
    return vectors and torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
