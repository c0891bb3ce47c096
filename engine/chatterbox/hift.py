"""
HiFT vocoder: mel at 50 Hz to 24 kHz audio (Li et al. 2023, HiFTNet).

The mel predicts the fundamental frequency, whose harmonics and noise are the source.
Three up-sampling levels filter it, with the source's spectrum added at each, and an inverse STFT of
16 samples makes the waveform.
Frames are (B, T, C) throughout.
Parameter names are those of the published checkpoint with its weight normalisation folded in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.convolution import convolve_image

RATE_HZ, HOP, BANDS = 24_000, 480, 80
N_FFT, STFT_HOP = 16, 4
BINS = N_FFT // 2 + 1
UP_RATES, UP_KERNELS = (8, 5, 3), (16, 11, 7)
RESIDUAL_KERNELS, SOURCE_KERNELS, DILATIONS = (3, 7, 11), (7, 7, 11), (1, 3, 5)
DOWN_RATES = (15, 3, 1)
"""From the source's spectrum to each level."""
HARMONICS = 9
SINE_AMPLITUDE, VOICED_NOISE, UNVOICED_NOISE = 0.1, 0.003, 0.1 / 3
VOICED_HZ = 10.0
LEAK, LAST_LEAK = 0.1, 0.01
LARGEST_MAGNITUDE, LARGEST_SAMPLE = 1e2, 0.99
F0_WIDTH, F0_LAYERS = 512, 5
SNAKE_EPSILON = 1e-9


class FrameConv(nn.Conv1d):
    """A convolution over frames (B, T, C) that keeps their number, unless it has a stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, dilation: int = 1) -> None:
        super().__init__(
            inputs, outputs, kernel, padding=(kernel - 1) * dilation // 2, dilation=dilation
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        padding, dilation = int(self.padding[0]), self.dilation[0]
        return convolve_image(x, self.weight, self.bias, padding=padding, dilation=dilation)


class NormedConv(FrameConv):
    """A convolution that is published with weight normalisation."""


class NormedUpsample(nn.ConvTranspose1d):
    """A transposed convolution, published with weight normalisation, over frames (B, T, C)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, rate: int) -> None:
        super().__init__(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002 - torch's
        """Return (B, rate T, C'); the size follows from the rate."""
        image = F.conv_transpose2d(
            input.transpose(1, 2)[:, :, None],
            self.weight[:, :, None],
            self.bias,
            stride=(1, self.stride[0]),
            padding=(0, int(self.padding[0])),
        )
        return image[:, :, 0].transpose(1, 2)


class SourceDown(nn.Conv1d):
    """Brings the source's spectrum to the rate of a level."""

    def __init__(self, outputs: int, rate: int) -> None:
        kernel = 2 * rate if rate > 1 else 1
        super().__init__(2 * BINS, outputs, kernel, stride=rate, padding=rate // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve with a stride."""
        padding = int(self.padding[0])
        return convolve_image(x, self.weight, self.bias, stride=self.stride[0], padding=padding)


class Snake(nn.Module):
    """x + sin(alpha x)^2 / alpha, per channel (Ziyin et al. 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Activate (B, T, C) in new memory, in one piece that is worked on in place."""
        return (x * self.alpha).sin_().square_().mul_(1.0 / (self.alpha + SNAKE_EPSILON)).add_(x)


class SnakeResidual(nn.Module):
    """Three pairs of dilated and plain convolutions, each pair with a residual connection."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            NormedConv(channels, channels, kernel, dilation=dilation) for dilation in DILATIONS
        )
        self.convs2 = nn.ModuleList(NormedConv(channels, channels, kernel) for _ in DILATIONS)
        self.activations1 = nn.ModuleList(Snake(channels) for _ in DILATIONS)
        self.activations2 = nn.ModuleList(Snake(channels) for _ in DILATIONS)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C) in new memory."""
        first, second = self.convs1, self.convs2
        for index, (conv1, conv2) in enumerate(zip(first, second, strict=True)):
            branch = conv2(self.activations2[index](conv1(self.activations1[index](x))))
            x = branch.add_(x)
        return x


class F0Predictor(nn.Module):
    """Mel (B, T, 80) -> fundamental frequency (B, T) in hertz."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(F0_LAYERS):
            layers += [NormedConv(F0_WIDTH if index else BANDS, F0_WIDTH, 3), nn.ELU()]
        self.condnet = nn.Sequential(*layers)
        self.classifier = nn.Linear(F0_WIDTH, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """Predict; below 10 Hz means unvoiced."""
        f0: Tensor = self.classifier(self.condnet(mel))[..., 0]
        return f0.abs()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDraws:
    """
    The random part of a source of T samples.

    phase: of each harmonic, (9, 1) in -pi to pi, the fundamental's 0.
    noise: standard normal, (9, T).
    """

    phase: Tensor
    noise: Tensor


def draw_source(frames: int, generator: torch.Generator | None = None) -> SourceDraws:
    """Draw for so many mel frames, first the phases and then the noise."""
    phase = torch.rand(HARMONICS, 1, generator=generator) * (2 * math.pi) - math.pi
    phase[0] = 0.0
    noise = torch.randn(HARMONICS, frames * HOP, generator=generator)
    return SourceDraws(phase=phase, noise=noise)


class HarmonicSource(nn.Module):
    """Mixes the harmonics to one signal."""

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(HARMONICS, 1)

    def forward(self, f0: Tensor, draws: SourceDraws) -> Tensor:
        """Return the source (T x 480,) of a fundamental frequency (T,) per frame."""
        f0 = f0.float().repeat_interleave(HOP)[None]
        numbers = torch.arange(1, HARMONICS + 1, device=f0.device)[:, None]
        cycles = (f0 * numbers / RATE_HZ).cumsum(dim=-1).remainder_(1.0)
        voiced = f0 > VOICED_HZ
        noise = torch.where(voiced, VOICED_NOISE, UNVOICED_NOISE) * draws.noise.to(f0.device)
        sines = cycles.mul_(2 * math.pi).add_(draws.phase.to(f0.device)).sin_()
        harmonics = sines.mul_(SINE_AMPLITUDE).mul_(voiced).add_(noise)
        mixed: Tensor = self.l_linear(harmonics.T.to(self.l_linear.weight.dtype))[..., 0]
        return mixed.tanh()


class HiFT(nn.Module):
    """Mel and source to audio; `width` is the number of channels before the first level."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.width = width
        channels = [width >> level for level in range(len(UP_RATES) + 1)]
        self.m_source = HarmonicSource()
        self.conv_pre = NormedConv(BANDS, width, 7)
        sizes = list(zip(channels, channels[1:], UP_KERNELS, UP_RATES, strict=False))
        self.ups = nn.ModuleList(NormedUpsample(*size) for size in sizes)
        self.source_downs = nn.ModuleList(
            SourceDown(size, rate) for size, rate in zip(channels[1:], DOWN_RATES, strict=True)
        )
        self.source_resblocks = nn.ModuleList(
            SnakeResidual(size, kernel)
            for size, kernel in zip(channels[1:], SOURCE_KERNELS, strict=True)
        )
        self.resblocks = nn.ModuleList(_level_blocks(channels[1:]))
        self.conv_post = NormedConv(channels[-1], 2 * BINS, 7)
        self.f0_predictor = F0Predictor()

    def source(self, mel: Tensor, draws: SourceDraws) -> Tensor:
        """Return the source (1, T x 480) of a mel (1, T, 80)."""
        source: Tensor = self.m_source(self.f0_predictor(mel)[0], draws)
        return source[None]

    def forward(self, mel: Tensor, source: Tensor) -> Tensor:
        """
        Return the audio (1, T x 480).

        Args:
            mel: (1, T, 80).
            source: (1, T x 480), from `source`.
        """
        spectrum = _source_spectrum(source).to(mel.dtype)
        x = self.conv_pre(mel)
        for level in range(len(UP_RATES)):
            x = self.ups[level](F.leaky_relu(x, LEAK))
            if level == len(UP_RATES) - 1:
                x = torch.cat((x[:, 1:2], x), dim=1)
            x = x + self.source_resblocks[level](self.source_downs[level](spectrum))
            x = self._filter(level, x)
        return _synthesize(self.conv_post(F.leaky_relu(x, LAST_LEAK)).float())

    def _filter(self, level: int, x: Tensor) -> Tensor:
        """Return the mean of a level's residual blocks."""
        count = len(RESIDUAL_KERNELS)
        first, *others = list(self.resblocks)[level * count : (level + 1) * count]
        total: Tensor = first(x)
        for block in others:
            total.add_(block(x))
        return total.div_(count)


def _level_blocks(channels: Sequence[int]) -> list[SnakeResidual]:
    blocks: list[SnakeResidual] = []
    for size in channels:
        blocks += [SnakeResidual(size, kernel) for kernel in RESIDUAL_KERNELS]
    return blocks


def _source_spectrum(source: Tensor) -> Tensor:
    """Return real and imaginary parts of the source's STFT, (1, frames, 18)."""
    window = torch.hann_window(N_FFT, device=source.device)
    spectrum = torch.stft(source.float(), N_FFT, STFT_HOP, window=window, return_complex=True)
    return torch.cat((spectrum.real, spectrum.imag), dim=1).transpose(1, 2).contiguous()


def _synthesize(x: Tensor) -> Tensor:
    """Return the audio of log magnitudes and phases (1, frames, 18); a phase is the sine of x."""
    magnitude = x[..., :BINS].exp().clamp_(max=LARGEST_MAGNITUDE)
    spectrum = torch.polar(magnitude, x[..., BINS:].sin()).transpose(1, 2)
    window = torch.hann_window(N_FFT, device=x.device)
    audio = torch.istft(spectrum, N_FFT, STFT_HOP, window=window)
    return audio.clamp_(-LARGEST_SAMPLE, LARGEST_SAMPLE)


def fade_start(audio: Tensor) -> Tensor:
    """
    Return the audio (..., T) with 20 ms of silence and then 20 ms of fade-in at its start.

    Hides what spills over from the prompt.
    """
    length = RATE_HZ // 50
    ramp = (torch.linspace(math.pi, 0.0, length, device=audio.device).cos() + 1.0) / 2.0
    fade = torch.cat((torch.zeros_like(ramp), ramp))[: audio.shape[-1]]
    faded = audio.clone()
    faded[..., : len(fade)] *= fade
    return faded
