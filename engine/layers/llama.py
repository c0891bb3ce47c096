"""
A decoder of the LLaMA kind (Touvron et al. 2023): RMSNorm, rotary positions, SwiGLU, grouped keys
and values.

Parameter names are those of Hugging Face's `LlamaModel`, so published weights load as they are:
`layers.N.self_attn.{q,k,v,o}_proj`, `layers.N.mlp.{gate,up,down}_proj`,
`layers.N.{input,post_attention}_layernorm`, `norm`. There is no embedding of tokens: inputs are
vectors.

Per token the weights are read once, and little is computed with them.
`Llama.prepare` therefore joins matrices that have one input (q, k, v; gate, up), so that a step has
few operations, and keeps large ones in oneDNN's layout: torch's own product of two rows reads
memory at a third of the speed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.errors import EngineError
from voxgate.engine.layers.attention import plain_attention
from voxgate.engine.layers.kv_cache import KVCache, visible
from voxgate.engine.layers.linear import has_onednn

MIN_PACKED_ELEMENTS = 500_000
"""
Of a weight that is kept in oneDNN's layout: below, it stays in the processor's cache, and oneDNN's
longer way to the first multiplication costs more than it saves.
"""
MAX_INT8_ROWS = 16
"""Up to which torch's product with int8 weights is faster than widening them first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeScaling:
    """The scaling of low frequencies that Llama 3 introduced for longer contexts."""

    factor: float = 8.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_positions: int = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaShape:
    """The hyperparameters of a stack."""

    width: int
    depth: int
    heads: int
    hidden: int
    kv_heads: int = 0
    """Heads of keys and values; 0: as many as of queries."""
    eps: float = 1e-5
    theta: float = 10_000.0
    scaling: RopeScaling | None = None
    positions: int = 4096
    """Upper limit of a position."""
    dropout: float = 0.0
    """Of what attention and feed-forward add, in training."""

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads) or self.heads % (self.kv_heads or 1):
            raise EngineError(
                f"{self.heads} attention heads of even width, {self.kv_heads or self.heads} of "
                f"them with keys, do not fit into a width of {self.width}; check the weights"
            )

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.heads

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads


def rope_frequencies(shape: LlamaShape) -> Tensor:
    """Return the angle per position of every channel pair, fp32 (head_width // 2,)."""
    pairs = torch.arange(0, shape.head_width, 2, dtype=torch.int64).float()
    plain = 1.0 / shape.theta ** (pairs / shape.head_width)
    if shape.scaling is None:
        return plain
    scaling = shape.scaling
    # full turns of a pair within the original context
    turns = scaling.original_positions * plain / (2.0 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    share = ((turns - low) / (high - low)).clamp(0.0, 1.0)
    return (1.0 - share) * plain / scaling.factor + share * plain


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """
    Rotate queries or keys (B, heads, T, d) by tables (T, d) of `Llama.tables`: channel i pairs with
    channel i + d / 2, and the sine has its sign in the table.
    """
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


class RMSNorm(nn.Module):
    """Scale to a root mean square of 1, then by the weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps
        self._shape = (width,)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return nn.functional.rms_norm(x, self._shape, self.weight, self.eps)


class Projection(nn.Linear):
    """
    A matrix without bias, for inference in oneDNN's layout (`pack`) or with int8 weights
    (`quantize`).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)
        self._packed: Tensor | None = None
        self._scale: Tensor | None = None
        """Of every output channel, if the weights are int8."""

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        if self._scale is not None:
            return self._with_int8(x, self._scale)
        if self._packed is None:
            return nn.functional.linear(x, self.weight)
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, None, "none", [], "")
        return packed

    def pack(self) -> None:
        """
        Keep the weight in oneDNN's layout alone, if it is large: for inference on a CPU. The module
        then has no parameter and cannot be copied.
        """
        plain = type(self.weight) is nn.Parameter and self.weight.device.type == "cpu"
        if plain and self.weight.numel() >= MIN_PACKED_ELEMENTS and has_onednn():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach())
            self.register_parameter("weight", None)

    def quantize(self) -> None:
        """
        Keep the weight as int8, symmetric per output channel; activations become bf16 inside. For
        inference on a CPU; the module then has no parameter.
        """
        weight = self.weight.detach().float()
        scale = weight.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / 127
        self._packed = (weight / scale).round().to(torch.int8)
        self._scale = scale[:, 0].to(torch.bfloat16)
        self.register_parameter("weight", None)

    def _with_int8(self, x: Tensor, scale: Tensor) -> Tensor:
        """Multiply few rows by int8 as it is stored, and many by the widened weight."""
        assert self._packed is not None
        rows = x.reshape(-1, self.in_features).bfloat16()
        if len(rows) <= MAX_INT8_ROWS:
            product = torch._weight_int8pack_mm(rows, self._packed, scale)
        else:
            product = nn.functional.linear(rows, self._packed.bfloat16()) * scale
        return product.to(x.dtype).view(*x.shape[:-1], self.out_features)


def joined(parts: Sequence[Projection]) -> Projection:
    """Return one matrix whose output is that of several, one after the other."""
    whole = Projection(1, 1)
    whole.in_features = parts[0].in_features
    whole.out_features = sum(part.out_features for part in parts)
    whole.weight = nn.Parameter(torch.cat([part.weight.detach() for part in parts]))
    return whole.requires_grad_(False)


class CausalAttention(nn.Module):
    """Attention of new positions over all that the cache holds."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.heads, self.key_heads = shape.heads, shape.key_heads
        self.head_width = shape.head_width
        keys = shape.key_heads * shape.head_width
        self.q_proj = Projection(shape.width, shape.width)
        self.k_proj = Projection(shape.width, keys)
        self.v_proj = Projection(shape.width, keys)
        self.o_proj = Projection(shape.width, shape.width)
        self.qkv_proj: Projection | None = None
        self.probe: Callable[[Tensor, Tensor], None] | None = None
        """Called with the queries (B, heads, n, d) and all keys of every step."""

    def join(self) -> None:
        """Join the three matrices of the input."""
        self.qkv_proj = joined((self.q_proj, self.k_proj, self.v_proj))
        del self.q_proj, self.k_proj, self.v_proj

    def forward(
        self,
        x: Tensor,
        tables: tuple[Tensor, Tensor],
        mask: Tensor | None,
        layer: int,
        cache: KVCache | None,
    ) -> Tensor:
        """Attend, (B, n, width) -> (B, n, width); arguments as of `Llama.body`."""
        rows, count, _ = x.shape
        qkv = (
            torch.cat((self.q_proj(x), self.k_proj(x), self.v_proj(x)), dim=-1)
            if self.qkv_proj is None
            else self.qkv_proj(x)
        )
        heads = qkv.view(rows, count, -1, self.head_width).transpose(1, 2)
        rotated = self.heads + self.key_heads
        turned = rotate(heads[:, :rotated], *tables)
        q, k, v = turned[:, : self.heads], turned[:, self.heads :], heads[:, rotated:]
        if cache is not None:
            k, v = cache.update(layer, k, v)
        if self.probe is not None:
            self.probe(q, k)
        mixed = self._mix(q, k, v, mask)
        projected: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(rows, count, -1))
        return projected

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        shared = self.heads // self.key_heads
        if not self.training:
            return nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, enable_gqa=shared > 1
            )
        if shared > 1:
            k, v = k.repeat_interleave(shared, dim=1), v.repeat_interleave(shared, dim=1)
        return plain_attention(q, k, v, mask)


class SwiGLU(nn.Module):
    """Feed-forward with a gate (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = Projection(width, hidden)
        self.up_proj = Projection(width, hidden)
        self.down_proj = Projection(hidden, width)
        self.gate_up_proj: Projection | None = None

    def join(self) -> None:
        """Join the two matrices of the input."""
        self.gate_up_proj = joined((self.gate_proj, self.up_proj))
        del self.gate_proj, self.up_proj

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        gate, up = (
            (self.gate_proj(x), self.up_proj(x))
            if self.gate_up_proj is None
            else self.gate_up_proj(x).chunk(2, dim=-1)
        )
        transformed: Tensor = self.down_proj(nn.functional.silu(gate) * up)
        return transformed


class DecoderLayer(nn.Module):
    """Attention and feed-forward, each normalised before and added."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.self_attn = CausalAttention(shape)
        self.mlp = SwiGLU(shape.width, shape.hidden)
        self.input_layernorm = RMSNorm(shape.width, shape.eps)
        self.post_attention_layernorm = RMSNorm(shape.width, shape.eps)
        self.dropout = shape.dropout

    def forward(
        self,
        x: Tensor,
        tables: tuple[Tensor, Tensor],
        mask: Tensor | None,
        layer: int,
        cache: KVCache | None,
    ) -> Tensor:
        """Compute one layer; arguments as of `Llama.body`."""
        x = x + self._dropped(self.self_attn(self.input_layernorm(x), tables, mask, layer, cache))
        return x + self._dropped(self.mlp(self.post_attention_layernorm(x)))

    def _dropped(self, x: Tensor) -> Tensor:
        if not (self.training and self.dropout):
            return x
        return nn.functional.dropout(x, self.dropout)


class Llama(nn.Module):
    """The stack: vectors (B, n, width) -> normalised hidden states (B, n, width)."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.depth))
        self.norm = RMSNorm(shape.width, shape.eps)
        self.step: Callable[..., Tensor] | None = None
        """What a compiler made of `body`, for one new position with a StaticCache."""
        self._tables: tuple[Tensor, Tensor] | None = None

    def prepare(self) -> "Llama":
        """
        Make the stack ready to decode: join matrices, and pack large ones on a CPU. For inference
        only; names of parameters are no longer those of the file.
        """
        self.join()
        self.pack()
        return self

    def join(self) -> None:
        """Join matrices that have one input. Call once, before quantisation."""
        for layer in self.layers:
            assert isinstance(layer, DecoderLayer)
            layer.self_attn.join()
            layer.mlp.join()

    def quantize(self) -> None:
        """Keep all matrices as int8: as `Projection.quantize`."""
        for module in self.modules():
            if isinstance(module, Projection):
                module.quantize()

    def pack(self) -> None:
        """Keep large matrices in oneDNN's layout: as `Projection.pack`."""
        for module in self.modules():
            if isinstance(module, Projection):
                module.pack()

    def tables(self, positions: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cosines and signed sines of positions, (n, head_width) in the dtype of x."""
        kind = like.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else like.dtype
        held = self._tables
        if held is None or held[0].device != like.device or held[0].dtype is not dtype:
            self._tables = held = self._make_tables(like.device, dtype)
        return held[0][positions], held[1][positions]

    def _make_tables(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # also used in training, which cannot save tensors of the inference mode
        with torch.inference_mode(mode=False), torch.no_grad():
            places = torch.arange(self.shape.positions, dtype=torch.float32)
            angles = places[:, None] * rope_frequencies(self.shape)
            cos, sin = angles.cos(), angles.sin()
            return (
                torch.cat((cos, cos), dim=-1).to(device, dtype),
                torch.cat((-sin, sin), dim=-1).to(device, dtype),
            )

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """
        Compute the hidden states of new positions.

        Args:
            x: their inputs, (B, n, width).
            positions: for the rotary embedding, (n,), ascending.
            cache: holds the earlier positions; None: there are none.
            mask: without a cache, as of `visible`; None is causal.
        """
        count = x.shape[1]
        if cache is not None:
            x, positions, mask = cache.begin(x, positions)
        elif mask is None:
            mask = visible(0, count, 0, None, x.device)
        run = self.body if self.step is None or x.shape[1] > 1 else self.step
        return run(x, self.tables(positions, x), mask, cache)[:, -count:]

    def body(
        self,
        x: Tensor,
        tables: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: KVCache | None,
    ) -> Tensor:
        """
        Compute all layers; what depends on the number of the step is in the arguments, so that this
        part can be compiled.
        """
        for number, layer in enumerate(self.layers):
            x = layer(x, tables, mask, number, cache)
        normalised: Tensor = self.norm(x)
        return normalised
