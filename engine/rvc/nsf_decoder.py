"""
The vocoder of RVC: NSF-HiFi-GAN (Wang et al. 2019, Kong et al. 2020), latent frames at 100 Hz and
F0 to audio at the voice's own rate.

A sine of the F0, with noise, is the source; up-sampling levels filter the latents with the source
added at each.
It is most of a conversion's arithmetic (110 of 128 GFLOP per second of audio at 48 kHz), therefore
frames are (B, T, C) as images with channels last, and on a CPU oneDNN applies activations and
residuals while a convolution's result is in registers.
Parameter names are those behind `dec.` of the published checkpoint with its weight normalisation
folded in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.convolution import convolve_image
from voxgate.engine.layers.linear import can_use_onednn, has_onednn

LEAK, LAST_LEAK = 0.1, 0.01
SINE_AMPLITUDE, VOICED_NOISE, UNVOICED_NOISE = 0.1, 0.003, 0.1 / 3
PRE_KERNEL = 7
BLOCK_ELEMENTS = 1 << 19
"""
Of a level that is filtered at a time. Twelve convolutions pass over it, which is quick while it
stays in a processor's cache: 1.4 times in fp32, 1.3 in bf16, of a level of ten seconds at once.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NsfShape:
    """Sizes; the defaults are RVC v2 at 48 kHz."""

    rate_hz: int = 48_000
    latent: int = 192
    speaker_width: int = 256
    width: int = 512
    """Channels before the first level, halved by each."""
    up_rates: tuple[int, ...] = (12, 10, 2, 2)
    up_kernels: tuple[int, ...] = (24, 20, 4, 4)
    kernels: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5),) * 3

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return math.prod(self.up_rates)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels behind each level."""
        return tuple(self.width >> level + 1 for level in range(len(self.up_rates)))


class ResidualConv(nn.Conv1d):
    """
    A convolution over frames (B, T, C) that keeps their number, published with weight
    normalisation.

    Its result may pass a leaky ReLU, or be added to other frames.
    """

    def __init__(self, channels: int, kernel: int, dilation: int = 1) -> None:
        padding = (kernel - 1) * dilation // 2
        super().__init__(channels, channels, kernel, padding=padding, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, then apply the leaky ReLU."""
        if not _can_fuse(x, self.weight):
            return F.leaky_relu_(self._convolved(x), LEAK)
        image: Tensor = torch.ops.mkldnn._convolution_pointwise(
            *self._operands(x), "leaky_relu", [LEAK], ""
        )
        return _frames(image)

    def add_to(self, x: Tensor, residual: Tensor) -> Tensor:
        """Convolve, and add the residual."""
        if not _can_fuse(x, self.weight):
            return self._convolved(x).add_(residual)
        image: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            _image(x), _image(residual), *self._operands(x)[1:], "add", 1.0, None, [], None
        )
        return _frames(image)

    def _convolved(self, x: Tensor) -> Tensor:
        padding, dilation = int(self.padding[0]), self.dilation[0]
        return convolve_image(x, self.weight, self.bias, padding=padding, dilation=dilation)

    def _operands(self, x: Tensor) -> tuple[object, ...]:
        padding, dilation = [0, int(self.padding[0])], [1, self.dilation[0]]
        weight = self.weight[:, :, None]
        return _image(x), weight, self.bias, padding, [1, 1], dilation, 1


class LatentUpsample(nn.ConvTranspose1d):
    """A transposed convolution, published with weight normalisation, over frames (B, T, C)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, rate: int) -> None:
        super().__init__(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002 - torch's
        """Return (B, rate T, C'); the size follows from the rate."""
        image = F.conv_transpose2d(
            _image(input),
            self.weight[:, :, None],
            self.bias,
            stride=(1, self.stride[0]),
            padding=(0, int(self.padding[0])),
        )
        return _frames(image)


class SourceConv(nn.Conv1d):
    """Brings the source to the rate of a level."""

    def __init__(self, outputs: int, rate: int) -> None:
        kernel = 2 * rate if rate > 1 else 1
        super().__init__(1, outputs, kernel, stride=rate, padding=rate // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T / rate, C) of a source (B, T)."""
        padding = int(self.padding[0])
        return convolve_image(
            x[..., None], self.weight, self.bias, stride=self.stride[0], padding=padding
        )


class ResidualBlock(nn.Module):
    """Pairs of dilated and plain convolutions, each pair with a residual connection."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(ResidualConv(channels, kernel, each) for each in dilations)
        self.convs2 = nn.ModuleList(ResidualConv(channels, kernel) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C) in new memory."""
        for conv1, conv2 in zip(self.convs1, self.convs2, strict=True):
            assert isinstance(conv2, ResidualConv)
            x = conv2.add_to(conv1(F.leaky_relu(x, LEAK)), x)
        return x


class SineSource(nn.Module):
    """Mixes the sine and its noise to the source."""

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(1, 1)

    def forward(self, excitation: Tensor) -> Tensor:
        """Return (B, samples) of (B, samples), fp32 whatever the arithmetic."""
        weight, bias = self.l_linear.weight.float(), self.l_linear.bias.float()
        return (excitation.float() * weight[0, 0] + bias).tanh()


class NsfDecoder(nn.Module):
    """Latents, source and speaker to audio."""

    def __init__(self, shape: NsfShape) -> None:
        super().__init__()
        self.shape = shape
        channels = (shape.width, *shape.channels)
        self.m_source = SineSource()
        self.conv_pre = nn.Conv1d(shape.latent, shape.width, PRE_KERNEL, padding=PRE_KERNEL // 2)
        sizes = zip(channels, channels[1:], shape.up_kernels, shape.up_rates, strict=False)
        self.ups = nn.ModuleList(LatentUpsample(*size) for size in sizes)
        rates = [math.prod(shape.up_rates[level + 1 :]) for level in range(len(shape.up_rates))]
        self.noise_convs = nn.ModuleList(map(SourceConv, shape.channels, rates))
        self.resblocks = nn.ModuleList(
            ResidualBlock(size, kernel, dilations)
            for size in shape.channels
            for kernel, dilations in zip(shape.kernels, shape.dilations, strict=True)
        )
        self.conv_post = nn.Conv1d(channels[-1], 1, PRE_KERNEL, padding=PRE_KERNEL // 2, bias=False)
        self.cond = nn.Conv1d(shape.speaker_width, shape.width, 1)

    def forward(self, latents: Tensor, excitation: Tensor, speaker: Tensor) -> Tensor:
        """
        Return the audio (B, T x hop).

        Args:
            latents: (B, T, latent).
            excitation: (B, T x hop), from `excitation`.
            speaker: (B, speaker_width).
        """
        source = self.m_source(excitation).to(latents.dtype)
        x = convolve_image(
            latents, self.conv_pre.weight, self.conv_pre.bias, padding=PRE_KERNEL // 2
        )
        x = x + F.linear(speaker, self.cond.weight[..., 0], self.cond.bias)[:, None]
        for level, (up, down) in enumerate(zip(self.ups, self.noise_convs, strict=True)):
            x = up(F.leaky_relu(x, LEAK)).add_(down(source))
            x = self._filter(level, x)
        audio = convolve_image(
            F.leaky_relu(x, LAST_LEAK), self.conv_post.weight, None, padding=PRE_KERNEL // 2
        )
        return audio[..., 0].float().tanh()

    @property
    def reach(self) -> int:
        """Steps of a level that its residual blocks see on either side."""
        pairs = zip(self.shape.kernels, self.shape.dilations, strict=True)
        return max((kernel - 1) // 2 * sum(each + 1 for each in steps) for kernel, steps in pairs)

    def _filter(self, level: int, x: Tensor) -> Tensor:
        """Return the mean of a level's residual blocks, on a CPU in pieces with neighbours."""
        length, reach = x.shape[1], self.reach
        size = max(4 * reach, BLOCK_ELEMENTS // (x.shape[0] * x.shape[2]))
        if x.device.type != "cpu" or torch.compiler.is_compiling() or length <= size + 2 * reach:
            return self._filter_piece(level, x)
        filtered = torch.empty_like(x)
        for start in range(0, length, size):
            first, stop = max(0, start - reach), min(length, start + size)
            piece = self._filter_piece(level, x[:, first : stop + reach])
            filtered[:, start:stop] = piece[:, start - first : stop - first]
        return filtered

    def _filter_piece(self, level: int, x: Tensor) -> Tensor:
        count = len(self.shape.kernels)
        first, *others = list(self.resblocks)[level * count : (level + 1) * count]
        total: Tensor = first(x)
        for block in others:
            total = total.add_(block(x))
        return total.div_(count)


def excitation(f0_hz: Tensor, noise: Tensor, rate_hz: int, hop: int) -> Tensor:
    """
    Return the sine of an F0 with its noise, fp32 (B, T x hop).

    The phase is summed over frames in fp64 and wrapped, so that it stays exact in a long recording.

    Args:
        f0_hz: (B, T), 0 where unvoiced.
        noise: standard normal, (B, T x hop).
        rate_hz: of the audio.
        hop: samples per frame.
    """
    per_sample = (f0_hz.double() / rate_hz).remainder(1.0)
    before = (per_sample * hop).cumsum(dim=1) - per_sample * hop
    steps = torch.arange(1, hop + 1, dtype=torch.float64, device=f0_hz.device)
    cycles = (before.remainder(1.0)[..., None] + per_sample[..., None] * steps).remainder_(1.0)
    sine = (cycles.float() * (2 * math.pi)).sin_().flatten(1)
    voiced = (f0_hz > 0.0).repeat_interleave(hop, dim=1)
    strength = torch.where(voiced, VOICED_NOISE, UNVOICED_NOISE)
    return (sine * SINE_AMPLITUDE * voiced).addcmul_(strength, noise.float())


def _image(frames: Tensor) -> Tensor:
    return frames.transpose(1, 2)[:, :, None]


def _frames(image: Tensor) -> Tensor:
    return image[:, :, 0].transpose(1, 2)


def _can_fuse(x: Tensor, weight: Tensor) -> bool:
    plain = x.dtype is weight.dtype and x.dtype in (torch.float32, torch.bfloat16)
    return plain and can_use_onednn(x) and has_onednn()
