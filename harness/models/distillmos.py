"""
The network inside the package `distillmos`, with that package's windows: samples in, scores out.

Stahl and Gamper 2025, "Distillation and pruning for scalable self-supervised representation-based
speech quality assessment": convolutions over the compressed spectrogram, 7 layers of transformer,
attention pooling. Only the package's weights are read; its code, which needs torchaudio, librosa
and transformers, is not imported. Windows of 7.68 s, each divided by its peak; longer audio is cut
at equal distances of at most 1 s, as the package does. Shorter audio is repeated, where the package
fills it up with zeros: then 5 to 200 ms of silence before the same recording moved the score by up
to 1.2. The spectrum is complex, and so polarity alone moves it by up to 0.3 (four voices).
"""

import functools
import importlib.util
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.models.packaged_file import packaged_file
from voxgate.harness.records.measurement import Missing, not_installed

PACKAGE = "distillmos"
WEIGHTS = (
    "weights/distill_mos_v7.pt",
    "b18b3ac60227267cfb91e5d00ce22cc7b73716fd92f269484da1446e27031a40",
)

RATE_HZ = 16_000
WINDOW, LONGEST_HOP = (
    122_880,
    16_000,
)  # samples that the network was trained on; and from one to the next
GROUP = 4  # windows at once: bounds memory, whatever the length of the audio
WIDTH, HOP, BINS = 320, 160, 161  # analysis frames of 20 ms every 10 ms
COMPRESSION, QUIETEST = 0.3, 1e-12
CHANNELS = (2, 64, 64, 128, 256, 256, 256)
SLOPE = 0.1
FEATURES, WIDTH_INSIDE, HEADS, LAYERS = 1024, 200, 8, 7
HEAD = "transformer_pool_attn."

Samples32 = NDArray[np.float32]


def window_starts(length: int) -> list[int]:
    """Return the sample at which each window of `length` samples begins."""
    beyond = max(length - WINDOW, 0)
    count = -(-beyond // LONGEST_HOP) + 1
    return [int(share * beyond) for share in np.linspace(0, 1, count)]


def mos_scores(samples: NDArray[np.floating]) -> NDArray[np.float64] | Missing:
    """
    Return the score of each window of audio at 16 kHz, 1 to 5, shape [windows]; of one sample or
    more.
    """
    network = _network()
    if isinstance(network, Missing):
        return network
    audio = np.resize(samples, max(WINDOW, len(samples))).astype(np.float32)
    starts = window_starts(len(audio))
    scores = []
    for at in range(0, len(starts), GROUP):
        windows = np.stack([audio[start : start + WINDOW] for start in starts[at : at + GROUP]])
        scores.append(_scored(network, windows))
    return np.concatenate(scores)


def _scored(network: dict[str, Any], windows: Samples32) -> NDArray[np.float64]:
    import torch

    with torch.inference_mode():
        heard = torch.from_numpy(windows)
        heard = heard / (heard.abs().amax(dim=1, keepdim=True) + 1e-8)
        features = network["cnn.cnn"](_compressed(heard)).flatten(1, -2)
        features = network["transformer.norm"](network["norm_input"](features)).transpose(1, 2)
        places = network["transformer.linear_proj"](features) + network["places"]
        states = network["transformer.transformer_encoder"](places)
        states = network["norm_trans"](states.transpose(1, 2)).transpose(1, 2)
        weight = network["pool.linear2"](torch.relu(network["pool.linear1"](states)))
        pooled = (weight.softmax(dim=1) * states).sum(dim=1)
        quality = torch.sigmoid(network["pool.linear3"](pooled))[:, 0]
    return np.asarray(1.0 + 4.0 * quality.double().numpy())


def _compressed(heard: Any) -> Any:
    """Return the spectrum with its magnitude to the power of 0.3, shape [n, 2, 161, frames]."""
    import torch

    padded = torch.nn.functional.pad(heard, (HOP // 2, HOP // 2), mode="reflect")
    window = torch.hann_window(WIDTH)
    spectrum = torch.view_as_real(
        torch.stft(padded, WIDTH, HOP, WIDTH, window, center=False, return_complex=True)
    )
    size = (spectrum**2).sum(dim=-1, keepdim=True) ** 0.5
    size = size.clip(QUIETEST)
    return (size**COMPRESSION * spectrum / size).permute(0, 3, 1, 2)


@functools.cache
def _network() -> dict[str, Any] | Missing:
    """Load the network, once per process; only tensors are read from the file."""
    path = packaged_file(PACKAGE, *WEIGHTS)
    if isinstance(path, Missing):
        return path
    if importlib.util.find_spec("torch") is None:
        return not_installed("torch")
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    # creating modules draws random numbers; the global generator must not advance
    with torch.random.fork_rng(devices=[]):
        modules = _modules()
    for name, module in modules.items():
        prefix = f"{name}." if name == "cnn.cnn" else f"{HEAD}{name}."
        module.load_state_dict(
            {
                key.removeprefix(prefix): tensor
                for key, tensor in state.items()
                if key.startswith(prefix)
            }
        )
        module.eval().requires_grad_(False)
    return {**modules, "places": state[f"{HEAD}transformer.position_encoding.pe"]}


def _modules() -> dict[str, Any]:
    """Return the parts of the network, with random weights, by their names in the file."""
    from torch import nn

    layers: list[nn.Module] = []
    last = len(CHANNELS) - 2
    for place, (before, after) in enumerate(itertools.pairwise(CHANNELS)):
        stride = (1 if place == 0 else 2, 2 if place == last else 1)
        layers += [
            nn.Conv2d(before, after, 3, stride=stride, padding=(0, 1)),
            nn.LeakyReLU(SLOPE),
        ]
    layer = nn.TransformerEncoderLayer(
        WIDTH_INSIDE, HEADS, dim_feedforward=2 * WIDTH_INSIDE, batch_first=True, dropout=0.0
    )
    return {
        "cnn.cnn": nn.Sequential(*layers),
        "norm_input": nn.BatchNorm1d(FEATURES),
        "transformer.norm": nn.BatchNorm1d(FEATURES),
        "transformer.linear_proj": nn.Linear(FEATURES, WIDTH_INSIDE),
        "transformer.transformer_encoder": nn.TransformerEncoder(layer, LAYERS),
        "norm_trans": nn.BatchNorm1d(WIDTH_INSIDE),
        "pool.linear1": nn.Linear(WIDTH_INSIDE, 2 * WIDTH_INSIDE),
        "pool.linear2": nn.Linear(2 * WIDTH_INSIDE, 1),
        "pool.linear3": nn.Linear(WIDTH_INSIDE, 1),
    }
