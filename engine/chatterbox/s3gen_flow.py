"""
The flow's velocity: a one-dimensional U-Net of causal convolutions and transformer layers.

Its input is the noisy mel beside the encoder's mean, the speaker and the prompt's mel.
Only the noisy mel changes from step to step, so the first layer's response to everything else is
computed once per utterance (`Conditions`), and so are the time embeddings of all steps.
Frames are (B, T, C) throughout, so that nothing is transposed.
Parameter names are those of the published checkpoint.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.convolution import convolve_image
from voxgate.engine.layers.linear import Linear, LinearGelu, can_use_onednn, has_onednn, project

BANDS = 80
INPUTS = 4 * BANDS
"""Noisy mel, mean, speaker, prompt: in this order."""
HEAD_WIDTH = 64
KERNEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorShape:
    """Sizes; the published model has the defaults."""

    width: int = 256
    heads: int = 8
    middle: int = 12
    """Number of middle stages."""
    blocks: int = 4
    """Transformer layers per stage."""


def causal_convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve frames (B, T, C) -> (B, T, C'), each seeing itself and those before."""
    if weight.shape[2] == 1:
        return project(x, weight[:, :, 0].contiguous(), bias)
    padded = F.pad(x, (0, 0, weight.shape[2] - 1, 0))
    return convolve_image(padded, weight, bias)


class CausalConv(nn.Conv1d):
    """A causal convolution over frames (B, T, C)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = KERNEL) -> None:
        super().__init__(inputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return causal_convolve(x, self.weight, self.bias)

    def split(self, changing: Tensor, fixed: Tensor) -> Tensor:
        """Convolve the first channels alone, and add the response `fixed` to the others."""
        weight = self.weight[:, : changing.shape[-1]]
        return causal_convolve(changing, weight, None) + fixed

    def response(self, constant: Tensor) -> Tensor:
        """Return the response to the last channels and the bias."""
        weight = self.weight[:, -constant.shape[-1] :]
        return causal_convolve(constant, weight, self.bias)


class NormMish(nn.Module):
    """The activation behind a convolution, under the published names."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        # index 2 holds the norm: the published block transposes around it
        self.block = nn.ModuleDict({"0": CausalConv(inputs, outputs), "2": nn.LayerNorm(outputs)})

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, activate."""
        return self.activate(self.convolution(x))

    @property
    def convolution(self) -> CausalConv:
        """Return the first part."""
        return cast(CausalConv, self.block["0"])

    def activate(self, convolved: Tensor) -> Tensor:
        """Normalise and activate."""
        return F.mish(self.block["2"](convolved))


class ResidualStage(nn.Module):
    """Two causal convolutions with the flow time added between, and a residual projection."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Mish(), nn.Linear(4 * width, width))
        self.block1 = NormMish(inputs, width)
        self.block2 = NormMish(width, width)
        self.res_conv = CausalConv(inputs, width, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return (B, T, width); `time` (width,) is this stage's projection of the flow time."""
        hidden: Tensor = self.block2(self.block1(x).add_(time))
        return hidden.add_(self.res_conv(x))

    def first(self, noisy: Tensor, time: Tensor, conditions: "Conditions") -> Tensor:
        """Return the first stage's output for all rows, which share the noisy mel."""
        convolved = self.block1.convolution.split(noisy, conditions.convolved)
        hidden: Tensor = self.block2(self.block1.activate(convolved).add_(time))
        return hidden.add_(self.res_conv.split(noisy, conditions.projected))


class SelfAttention(nn.Module):
    """Full self-attention without positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * HEAD_WIDTH
        self.to_q = Linear(width, inner, bias=False)
        self.to_k = Linear(width, inner, bias=False)
        self.to_v = Linear(width, inner, bias=False)
        self.to_out = nn.ModuleList([Linear(inner, width)])

    def forward(self, x: Tensor) -> Tensor:
        """Attend, (B, T, width) -> (B, T, width)."""
        q, k, v = (
            part.view(*part.shape[:2], self.heads, HEAD_WIDTH).transpose(1, 2)
            for part in (self.to_q(x), self.to_k(x), self.to_v(x))
        )
        projected: Tensor = self.to_out[0](attend(q, k, v).transpose(1, 2).flatten(2))
        return projected


MIN_FRAMES = 128
"""Below, the products of single heads are too small to gain from oneDNN."""


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """
    Compute attention, (B, heads, T, d) each.

    With one thread, head by head in oneDNN, whose products are about twice as fast as those of
    torch's fused kernel; the scores of one head stay in the cache.
    """
    fast = q.shape[2] >= MIN_FRAMES and q.dtype is torch.float32 and torch.get_num_threads() == 1
    if not (fast and can_use_onednn(q) and has_onednn()):
        return F.scaled_dot_product_attention(q, k, v)
    mixed = torch.empty_like(q.transpose(1, 2)).transpose(1, 2)
    scale = q.shape[-1] ** -0.5
    for row in range(q.shape[0]):
        for head in range(q.shape[1]):
            scores = project(q[row, head] * scale, k[row, head].contiguous())
            torch.softmax(scores, dim=-1, out=scores)
            mixed[row, head] = project(scores, v[row, head].t().contiguous())
    return mixed


class FlowFeedForward(nn.Module):
    """Two linear layers with GELU between, under the published names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = nn.Sequential(OrderedDict(proj=LinearGelu(width, 4 * width)))
        self.net = nn.ModuleDict({"0": hidden, "2": Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        transformed: Tensor = self.net["2"](self.net["0"](x))
        return transformed


class FlowTransformer(nn.Module):
    """Attention and feed-forward part, each normalised before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = SelfAttention(width, heads)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FlowFeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus both residual branches; `x` is overwritten."""
        x = x.add_(self.attn1(self.norm1(x)))
        return x.add_(self.ff(self.norm3(x)))


class TimePerceptron(nn.Module):
    """Sinusoids of the flow time -> its embedding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(INPUTS, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, times: Tensor) -> Tensor:
        """Embed times (N,) as (N, width)."""
        steps = torch.arange(INPUTS // 2, device=times.device).float()
        rates = torch.exp(steps * -(math.log(10_000.0) / (INPUTS // 2 - 1)))
        angles = 1000.0 * times[:, None] * rates[None]
        sinusoids = torch.cat((angles.sin(), angles.cos()), dim=-1).to(self.linear_1.weight.dtype)
        embedded: Tensor = self.linear_2(F.silu(self.linear_1(sinusoids)))
        return embedded


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """
    Responses of the first stage to mean, speaker and prompt, (rows, T, width) each.

    The first row is conditional; the second, if there is one, unconditional.
    """

    convolved: Tensor
    projected: Tensor


class FlowEstimator(nn.Module):
    """The velocity of noisy mels."""

    def __init__(self, shape: EstimatorShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.time_mlp = TimePerceptron(4 * width)
        down = FlowStage(INPUTS, shape, CausalConv(width, width))
        up = FlowStage(2 * width, shape, CausalConv(width, width))
        self.down_blocks = nn.ModuleList([down])
        self.mid_blocks = nn.ModuleList(FlowStage(width, shape) for _ in range(shape.middle))
        self.up_blocks = nn.ModuleList([up])
        self.final_block = NormMish(width, width)
        self.final_proj = CausalConv(width, BANDS, 1)

    def stages(self) -> list["FlowStage"]:
        """Return all stages in the order of the data."""
        stages = [*self.down_blocks, *self.mid_blocks, *self.up_blocks]
        return [cast("FlowStage", stage) for stage in stages]

    def embed_times(self, times: Sequence[float]) -> Tensor:
        """Return every stage's projection of every time, (times, stages, width)."""
        weight = self.final_proj.weight
        embedded = self.time_mlp(torch.tensor(times, dtype=torch.float32, device=weight.device))
        return torch.stack([stage.residual.mlp(embedded) for stage in self.stages()], dim=1)

    def condition(self, mean: Tensor, speaker: Tensor, prompt: Tensor, *, rows: int) -> Conditions:
        """
        Return what the first stage adds for the conditions, which are zero in the second row.

        Args:
            mean: (1, T, 80), from the encoder.
            speaker: (1, 80).
            prompt: (1, T, 80), the prompt's mel and then zeros.
            rows: 2 with guidance, else 1.
        """
        given = torch.cat((mean, speaker[:, None].expand_as(mean), prompt), dim=-1)
        if rows == 2:
            given = torch.cat((given, torch.zeros_like(given)))
        first = self.stages()[0].residual
        return Conditions(
            convolved=first.block1.convolution.response(given),
            projected=first.res_conv.response(given),
        )

    def forward(self, noisy: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """
        Return the velocity of each row, (rows, T, 80).

        Args:
            noisy: (1, T, 80), which the rows share.
            times: (stages, width), from `embed_times`.
            conditions: from `condition`.
        """
        down, *middle, up = self.stages()
        skip = down.transform(down.residual.first(noisy, times[0], conditions))
        x = down[2](skip)
        for stage, time in zip(middle, times[1:-1], strict=True):
            x = stage.transform(stage.residual(x, time))
        x = up.transform(up.residual(torch.cat((x, skip), dim=-1), times[-1]))
        velocity: Tensor = self.final_proj(self.final_block(up[2](x)))
        return velocity


class FlowStage(nn.ModuleList):
    """A residual stage, its transformer layers, and in some a last convolution."""

    def __init__(self, inputs: int, shape: EstimatorShape, *last: nn.Module) -> None:
        layers = (FlowTransformer(shape.width, shape.heads) for _ in range(shape.blocks))
        super().__init__([ResidualStage(inputs, shape.width), nn.ModuleList(layers), *last])

    @property
    def residual(self) -> ResidualStage:
        """Return the part with the flow time."""
        return cast(ResidualStage, self[0])

    def transform(self, x: Tensor) -> Tensor:
        """Return the output of the transformer layers; `x` is overwritten."""
        for layer in cast(nn.ModuleList, self[1]):
            x = layer(x)
        return x
