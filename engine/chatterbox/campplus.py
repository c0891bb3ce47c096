"""
CAM++ speaker encoder (Wang et al. 2023): 16 kHz audio to an x-vector of 192 numbers.

Kaldi's log filterbank passes a small two-dimensional residual network, then three densely
connected blocks of time-delay layers, each with a mask from its context, and statistics pooling.
Parameter names are those of the published checkpoint.
"""

import functools
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RATE_HZ, FRAME, HOP, N_FFT, BANDS = 16_000, 400, 160, 512, 80
PREEMPHASIS = 0.97
LOWEST_HZ = 20.0
POWER_FLOOR = torch.finfo(torch.float32).eps
SEGMENT = 100
"""Frames over which the context of a mask is averaged."""
DENSE_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block."""
HEAD_CHANNELS, FIRST_CHANNELS, GROWTH, BOTTLENECK, XVECTOR = 32, 128, 32, 128, 192


def kaldi_fbank(audio: Tensor) -> Tensor:
    """
    Compute Kaldi's log-mel filterbank with its default options and no dither.

    Frames of 25 ms every 10 ms that fit wholly, mean removed, pre-emphasis, Povey's window.

    Args:
        audio: (T,) at 16 kHz, at least one frame.

    Returns: (frames, 80).
    """
    frames = audio.float().unfold(0, FRAME, HOP)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat((frames[:, :1], frames[:, :-1]), dim=1)
    window = torch.hann_window(FRAME, periodic=False, device=audio.device).pow(0.85)
    spectrum = torch.fft.rfft((frames - PREEMPHASIS * before) * window, n=N_FFT)
    power: Tensor = spectrum.abs().square()
    return (power @ _kaldi_filters().to(audio.device).T).clamp(min=POWER_FLOOR).log()


@functools.cache
def _kaldi_filters() -> Tensor:
    """Return triangles in mel, (80, 257); the bin of half the sample rate counts for nothing."""
    bins_mel = _kaldi_mel(torch.arange(N_FFT // 2, dtype=torch.float64) * RATE_HZ / N_FFT)
    lowest, highest = (
        float(_kaldi_mel(torch.tensor(hz, dtype=torch.float64))) for hz in (LOWEST_HZ, RATE_HZ / 2)
    )
    edges = torch.linspace(lowest, highest, BANDS + 2, dtype=torch.float64)
    width = (highest - lowest) / (BANDS + 1)
    rising = (bins_mel[None] - edges[:-2, None]) / width
    falling = (edges[2:, None] - bins_mel[None]) / width
    return F.pad(torch.minimum(rising, falling).clamp(min=0.0), (0, 1)).float()


def _kaldi_mel(hz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hz / 700.0)


class InferenceBatchNorm(nn.Module):
    """Batch normalisation by stored statistics, over axis 1 of any shape."""

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        if affine:
            self.weight: nn.Parameter | None = nn.Parameter(torch.ones(channels))
            self.bias: nn.Parameter | None = nn.Parameter(torch.zeros(channels))
        else:
            self.weight = self.bias = None
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=InferenceBatchNorm(channels), relu=nn.ReLU()))


class HeadBlock(nn.Module):
    """Residual block over (B, C, bands, T); its stride halves the bands."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        channels = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = InferenceBatchNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = InferenceBatchNorm(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False),
                InferenceBatchNorm(channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the activated sum of both branches."""
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(branch + self.shortcut(x))


class ConvolutionHead(nn.Module):
    """(B, 80, T) -> (B, 32 x 10, T): convolutions over bands and time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, HEAD_CHANNELS, 3, padding=1, bias=False)
        self.bn1 = InferenceBatchNorm(HEAD_CHANNELS)
        self.layer1 = nn.Sequential(HeadBlock(2), HeadBlock(1))
        self.layer2 = nn.Sequential(HeadBlock(2), HeadBlock(1))
        self.conv2 = nn.Conv2d(
            HEAD_CHANNELS, HEAD_CHANNELS, 3, stride=(2, 1), padding=1, bias=False
        )
        self.bn2 = InferenceBatchNorm(HEAD_CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels and remaining bands as one axis."""
        x = F.relu(self.bn1(self.conv1(x[:, None])))
        x = self.layer2(self.layer1(x))
        return F.relu(self.bn2(self.conv2(x))).flatten(1, 2)


class ContextMask(nn.Module):
    """A convolution whose output is masked by the mean of the utterance and of its segment."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            BOTTLENECK, GROWTH, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 32, T)."""
        segments = F.avg_pool1d(x, SEGMENT, SEGMENT, ceil_mode=True)
        # one mask per segment: its frames share the context
        context = x.mean(dim=-1, keepdim=True) + segments
        mask = torch.sigmoid(self.linear2(F.relu(self.linear1(context))))
        masked: Tensor = self.linear_local(x) * _per_frame(mask, x.shape[-1])
        return masked


def _per_frame(segments: Tensor, frames: int) -> Tensor:
    return segments.repeat_interleave(SEGMENT, dim=-1)[..., :frames]


class DenseLayer(nn.Module):
    """One layer of a dense block, (B, C, T) -> (B, 32, T)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _norm_relu(channels)
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _norm_relu(BOTTLENECK)
        self.cam_layer = ContextMask(dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Return the new channels alone."""
        new: Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))
        return new


class DenseBlock(nn.Module):
    """Layers that each see the outputs of all before."""

    def __init__(self, layers: int, channels: int, dilation: int) -> None:
        super().__init__()
        for index in range(layers):
            self.add_module(f"tdnnd{index + 1}", DenseLayer(channels + index * GROWTH, dilation))

    def forward(self, x: Tensor) -> Tensor:
        """Return the input and all new channels."""
        for layer in self.children():
            x = torch.cat((x, layer(x)), dim=1)
        return x


class Transition(nn.Module):
    """Halves the channels after a dense block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nonlinear = _norm_relu(channels)
        self.linear = nn.Conv1d(channels, channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, then project."""
        projected: Tensor = self.linear(self.nonlinear(x))
        return projected


class TimeDelay(nn.Module):
    """The first layer over time, of stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Conv1d(
            HEAD_CHANNELS * BANDS // 8, FIRST_CHANNELS, 5, stride=2, padding=2, bias=False
        )
        self.nonlinear = _norm_relu(FIRST_CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 128, about T / 2)."""
        activated: Tensor = self.nonlinear(self.linear(x))
        return activated


class XVectorProjection(nn.Module):
    """Mean and deviation over time to the x-vector, normalised by stored statistics."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(2 * channels, XVECTOR, 1, bias=False)
        self.nonlinear = nn.Sequential(
            OrderedDict(batchnorm=InferenceBatchNorm(XVECTOR, affine=False))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pool (B, C, T) and project to (B, 192)."""
        statistics = torch.cat((x.mean(dim=-1), x.std(dim=-1)), dim=-1)
        projected: Tensor = self.nonlinear(self.linear(statistics[..., None])[..., 0])
        return projected


class CAMPPlus(nn.Module):
    """Audio to x-vector."""

    def __init__(self) -> None:
        super().__init__()
        self.head = ConvolutionHead()
        parts: OrderedDict[str, nn.Module] = OrderedDict(tdnn=TimeDelay())
        channels = FIRST_CHANNELS
        for number, (layers, dilation) in enumerate(DENSE_BLOCKS, start=1):
            parts[f"block{number}"] = DenseBlock(layers, channels, dilation)
            channels += layers * GROWTH
            parts[f"transit{number}"] = Transition(channels)
            channels //= 2
        parts["out_nonlinear"] = _norm_relu(channels)
        parts["dense"] = XVectorProjection(channels)
        self.xvector = nn.Sequential(parts)

    def forward(self, fbank: Tensor) -> Tensor:
        """Return the x-vectors (B, 192) of filterbanks (B, T, 80), each less its mean."""
        embedded: Tensor = self.xvector(self.head(fbank.transpose(1, 2)))
        return embedded

    def embed(self, audio: Tensor) -> Tensor:
        """Return the x-vector (192,) of 16 kHz audio (T,)."""
        fbank = kaldi_fbank(audio)
        vector: Tensor = self((fbank - fbank.mean(dim=0))[None])[0]
        return vector
