"""
Firefly, the codec of Fish-Speech 1.5: 44.1 kHz audio to eight codes, 21.5 times a second, and back.

A ConvNeXt encoder reads a log-mel spectrogram; two strided levels and grouped finite scalar
quantisation make the codes; two levels and a HiFi-GAN generator make the waveform.
All convolutions are causal. Frames are (B, T, C) throughout.
Parameter names are those of the published checkpoint with its weight normalisation folded in.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.convolution import convolve, convolve_image
from voxgate.engine.layers.linear import Linear, LinearGelu, project
from voxgate.engine.layers.mel import slaney_filterbank

RATE_HZ, N_FFT, HOP, BANDS = 44_100, 2048, 512, 160
MEL_FLOOR, POWER_EPSILON = 1e-5, 1e-6
LEVELS = (8, 5, 5, 5)
BOUND_MARGIN = 1e-3
STRIDES = (2, 2)
"""From mel frames to codes."""
UP_RATES, UP_KERNELS = (8, 8, 2, 2, 2), (16, 16, 4, 4, 4)
RESIDUAL_KERNELS, DILATIONS = (3, 7, 11), (1, 3, 5)
EDGE_KERNEL, BLOCK_KERNEL = 13, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class FireflyShape:
    """Sizes; the published model has the defaults."""

    widths: tuple[int, ...] = (128, 256, 384, 512)
    depths: tuple[int, ...] = (3, 3, 9, 3)
    groups: int = 8
    """Codes per frame."""
    head_width: int = 512


def firefly_mel(audio: Tensor) -> Tensor:
    """Compute the codec's log-mel spectrogram, (T // 512, 160), of 44.1 kHz audio (T,)."""
    window = torch.hann_window(N_FFT, device=audio.device)
    padding = (N_FFT - HOP) // 2
    padded = F.pad(audio[None], (padding, padding), mode="reflect")
    spectrum = torch.stft(padded, N_FFT, HOP, window=window, center=False, return_complex=True)
    magnitude = (torch.view_as_real(spectrum).square().sum(dim=-1) + POWER_EPSILON).sqrt()
    filters = slaney_filterbank(RATE_HZ, n_fft=N_FFT, bands=BANDS).to(audio.device)
    return (filters @ magnitude[0]).clamp(min=MEL_FLOOR).log().T


class FishConv(nn.Module):
    """A causal convolution; the end is padded so that no frame is left over by a stride."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            inputs, outputs, kernel, stride=stride, dilation=dilation, groups=groups
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, T, C) to (B, T / stride rounded up, C')."""
        conv = self.conv
        (kernel,), (stride,), (dilation,) = conv.kernel_size, conv.stride, conv.dilation
        before = (kernel - 1) * dilation + 1 - stride
        x = F.pad(x, (0, 0, before, -x.shape[1] % stride))
        if conv.groups > 1:
            return convolve(conv, x)
        return convolve_image(x, conv.weight, conv.bias, stride=stride, dilation=dilation)


class NormedFishConv(FishConv):
    """A causal convolution that is published with weight normalisation."""


class FishUpsample(nn.Module):
    """A transposed convolution whose surplus at the end is cut off."""

    def __init__(self, inputs: int, outputs: int, kernel: int, rate: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(inputs, outputs, kernel, stride=rate)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, rate T, C')."""
        conv = self.conv
        image = F.conv_transpose2d(
            x.transpose(1, 2)[:, :, None],
            conv.weight[:, :, None],
            conv.bias,
            stride=(1, conv.stride[0]),
        )
        return image[:, :, 0, : x.shape[1] * conv.stride[0]].transpose(1, 2)


class NormedFishUpsample(FishUpsample):
    """A transposed convolution that is published with weight normalisation."""


class PointwiseConv(nn.Conv1d):
    """A convolution of one frame, as a product."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's
        """Transform the last axis."""
        return project(input, self.weight[:, :, 0].contiguous(), self.bias)


class CausalConvNeXtBlock(nn.Module):
    """Residual block of a depth-wise causal convolution and two wide layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = FishConv(width, width, BLOCK_KERNEL, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = LinearGelu(width, 4 * width)
        self.pwconv2 = Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the residual branch."""
        branch = self.pwconv2(self.pwconv1(self.norm(self.dwconv(x))))
        return torch.addcmul(x, self.gamma, branch)


class ConvNeXtBackbone(nn.Module):
    """Mel (B, T, 160) to states (B, T, width)."""

    def __init__(self, shape: FireflyShape) -> None:
        super().__init__()
        widths = shape.widths
        first = nn.Sequential(
            FishConv(BANDS, widths[0], BLOCK_KERNEL), nn.LayerNorm(widths[0], eps=1e-6)
        )
        others = (
            nn.Sequential(nn.LayerNorm(narrow, eps=1e-6), PointwiseConv(narrow, wide))
            for narrow, wide in pairwise(widths)
        )
        self.downsample_layers = nn.ModuleList([first, *others])
        self.stages = nn.ModuleList(
            nn.Sequential(*(CausalConvNeXtBlock(width) for _ in range(depth)))
            for width, depth in zip(widths, shape.depths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Encode."""
        for change, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(change(x))
        normed: Tensor = self.norm(x)
        return normed


class ScalarQuantizer(nn.Module):
    """Finite scalar quantisation of one group: 8 x 5 x 5 x 5 codes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project_in = nn.Linear(width, len(LEVELS))
        self.project_out = nn.Linear(len(LEVELS), width)

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (...) of states (..., width), which are bounded twice as published."""
        levels = torch.tensor(LEVELS, device=x.device)
        digits = _bounded(_bounded(self.project_in(x), levels), levels).round() + levels // 2
        return (digits.long() * _places(x.device)).sum(dim=-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Return the states (..., width) of codes (...)."""
        levels = torch.tensor(LEVELS, device=codes.device)
        digits = codes[..., None] // _places(codes.device) % levels
        half = levels // 2
        states: Tensor = self.project_out(
            ((digits - half) / half).to(self.project_out.weight.dtype)
        )
        return states


def _places(device: torch.device) -> Tensor:
    return torch.tensor([math.prod(LEVELS[:index]) for index in range(len(LEVELS))], device=device)


def _bounded(x: Tensor, levels: Tensor) -> Tensor:
    half = (levels - 1) * (1.0 + BOUND_MARGIN) / 2.0
    offset = torch.where(levels % 2 == 0, 0.5, 0.0)
    return (x + (offset / half).atanh()).tanh() * half - offset


class GroupedQuantizer(nn.Module):
    """Groups of channels, quantised one by one; under the published names."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.rvqs = nn.ModuleList(ScalarQuantizer(width // groups) for _ in range(groups))

    def quantizers(self) -> list[ScalarQuantizer]:
        """Return the groups' quantisers."""
        return [part for part in self.rvqs if isinstance(part, ScalarQuantizer)]


class DownsamplingQuantizer(nn.Module):
    """States at the mel's rate to codes at a quarter of it, and back."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.residual_fsq = GroupedQuantizer(width, groups)
        self.downsample = nn.Sequential(
            *(
                nn.Sequential(
                    FishConv(width, width, stride, stride=stride), CausalConvNeXtBlock(width)
                )
                for stride in STRIDES
            )
        )
        self.upsample = nn.Sequential(
            *(
                nn.Sequential(
                    FishUpsample(width, width, stride, stride), CausalConvNeXtBlock(width)
                )
                for stride in reversed(STRIDES)
            )
        )

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (B, groups, N) of states (B, T, width)."""
        quantizers = self.residual_fsq.quantizers()
        parts = self.downsample(x).chunk(len(quantizers), dim=-1)
        codes = [each.encode(part) for each, part in zip(quantizers, parts, strict=True)]
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Return the states (B, 4 N, width) of codes (B, groups, N)."""
        quantizers = self.residual_fsq.quantizers()
        parts = [each.decode(codes[:, index]) for index, each in enumerate(quantizers)]
        states: Tensor = self.upsample(torch.cat(parts, dim=-1))
        return states


class SiluResidual(nn.Module):
    """Three pairs of dilated causal convolutions, each pair with a residual connection."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convs1 = _dilated(channels, kernel)
        self.convs2 = _dilated(channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C)."""
        for conv1, conv2 in zip(self.convs1, self.convs2, strict=True):
            x = x + conv2(F.silu(conv1(F.silu(x))))
        return x


def _dilated(channels: int, kernel: int) -> nn.ModuleList:
    return nn.ModuleList(
        NormedFishConv(channels, channels, kernel, dilation=dilation) for dilation in DILATIONS
    )


class ParallelResiduals(nn.Module):
    """The mean of residual blocks of three kernels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(SiluResidual(channels, size) for size in RESIDUAL_KERNELS)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C)."""
        first, *others = self.blocks
        total: Tensor = first(x)
        for block in others:
            total = total + block(x)
        return total / len(self.blocks)


class HiFiGANHead(nn.Module):
    """States (B, T, width) to audio (B, 512 T)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        channels = [width >> level for level in range(len(UP_RATES) + 1)]
        self.conv_pre = NormedFishConv(inputs, width, EDGE_KERNEL)
        sizes = zip(channels, channels[1:], UP_KERNELS, UP_RATES, strict=False)
        self.ups = nn.ModuleList(NormedFishUpsample(*size) for size in sizes)
        self.resblocks = nn.ModuleList(ParallelResiduals(size) for size in channels[1:])
        self.conv_post = NormedFishConv(channels[-1], 1, EDGE_KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        """Synthesise."""
        x = self.conv_pre(x)
        for up, blocks in zip(self.ups, self.resblocks, strict=True):
            x = blocks(up(F.silu(x)))
        audio: Tensor = self.conv_post(F.silu(x))
        return audio[..., 0].tanh()


class Firefly(nn.Module):
    """The codec."""

    def __init__(self, shape: FireflyShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.widths[-1]
        self.backbone = ConvNeXtBackbone(shape)
        self.quantizer = DownsamplingQuantizer(width, shape.groups)
        self.head = HiFiGANHead(width, shape.head_width)

    def encode(self, audio: Tensor) -> Tensor:
        """Return the codes (groups, N) of 44.1 kHz audio (T,)."""
        codes: Tensor = self.quantizer.encode(self.backbone(firefly_mel(audio)[None]))[0]
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Return the audio (2048 N,) of codes (groups, N)."""
        audio: Tensor = self.head(self.quantizer.decode(codes[None]))[0]
        return audio
