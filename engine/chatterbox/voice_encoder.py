"""
The voice encoder: a recording becomes one vector of length 1, the speaker's.

Three LSTM layers over windows of a mel power spectrogram; the mean of the windows' vectors is the
recording's. The layout is Resemblyzer's, whose published weights also load.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import slaney_filterbank
from voxgate.engine.weights.tensor_file import read_tensors
from voxgate.engine.weights.voice import fill_model

RATE_HZ = 16_000
BANDS, N_FFT, HOP = 40, 400, 160
WINDOW_FRAMES, STEP_FRAMES = 160, 77
"""Of 1.6 s, 1.3 per second."""
LEAST_COVERED = 0.8
"""Part of the last window that must be filled, unless it is the only one."""
TRIM_FRAME, TRIM_HOP, TRIM_DB = 2048, 512, 20.0
RENAMED = {"linear.": "proj."}
"""Names of Resemblyzer -> those of Chatterbox."""


class VoiceEncoder(nn.Module):
    """Windows (B, WINDOW_FRAMES, bands) -> vectors of length 1, (B, size)."""

    def __init__(self, width: int = 256, size: int = 256, bands: int = BANDS) -> None:
        super().__init__()
        self.lstm = nn.LSTM(bands, width, num_layers=3, batch_first=True)
        self.proj = nn.Linear(width, size)
        self.similarity_weight = nn.Parameter(torch.tensor([10.0]))
        self.similarity_bias = nn.Parameter(torch.tensor([-5.0]))
        """Of the training loss; without use afterwards."""

    def forward(self, windows: Tensor) -> Tensor:
        """Encode every window."""
        _, (hidden, _) = self.lstm(windows)
        return _unit(self.proj(hidden[-1]).relu())


@torch.inference_mode()
def embed_speaker(model: VoiceEncoder, audio: Tensor) -> Tensor:
    """
    Return the speaker's vector (size,) of a recording (T,) at RATE_HZ.

    Raises: EngineError for a recording without sound.
    """
    speech = trim_silence(audio)
    if not speech.numel():
        raise EngineError("reference: the recording is silent; give one with speech")
    vectors: Tensor = model(split_windows(mel_power(speech)))
    return _unit(vectors.mean(0))


def mel_power(audio: Tensor) -> Tensor:
    """Return the mel power spectrogram (F, BANDS) of audio (T,), without a logarithm."""
    spectrum = torch.stft(
        audio,
        N_FFT,
        HOP,
        window=torch.hann_window(N_FFT, device=audio.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    bank = slaney_filterbank(RATE_HZ, n_fft=N_FFT, bands=BANDS).to(audio.device)
    return (bank @ spectrum.abs().square()).T


def split_windows(mel: Tensor) -> Tensor:
    """Split a spectrogram (F, bands) into windows (B, WINDOW_FRAMES, bands), zeros at the end."""
    frames = len(mel)
    count, rest = divmod(max(frames - WINDOW_FRAMES + STEP_FRAMES, 0), STEP_FRAMES)
    if count == 0 or (rest + WINDOW_FRAMES - STEP_FRAMES) / WINDOW_FRAMES >= LEAST_COVERED:
        count += 1
    total = WINDOW_FRAMES + STEP_FRAMES * (count - 1)
    padded = nn.functional.pad(mel, (0, 0, 0, max(total - frames, 0)))[:total]
    return padded.unfold(0, WINDOW_FRAMES, STEP_FRAMES).transpose(1, 2)


def trim_silence(audio: Tensor) -> Tensor:
    """Cut both ends where a frame is more than TRIM_DB quieter than the loudest."""
    half = TRIM_FRAME // 2
    frames = nn.functional.pad(audio, (half, half)).unfold(0, TRIM_FRAME, TRIM_HOP)
    power = frames.square().mean(1)
    loudest = float(power.max())
    if loudest == 0.0:
        return audio[:0]
    floor = 1e-10
    level_db = 10.0 * (power.clamp(min=floor) / max(loudest, floor)).log10()
    sounding = (level_db > -TRIM_DB).nonzero()[:, 0]
    return audio[int(sounding[0]) * TRIM_HOP : (int(sounding[-1]) + 1) * TRIM_HOP]


def load_voice_encoder(path: Path) -> VoiceEncoder:
    """
    Load Chatterbox's `ve.safetensors` or `ve.pt`, or Resemblyzer's `pretrained.pt`.

    Raises: EngineError for an unreadable file, and tensors that are missing, unknown or misshapen.
    """
    tensors = {
        _renamed(name): value
        for name, value in read_tensors(
            path, lambda content: content.get("model_state", content)
        ).items()
    }
    recurrent, out = tensors.get("lstm.weight_ih_l0"), tensors.get("proj.weight")
    if recurrent is None or out is None or recurrent.ndim != 2 or out.ndim != 2:
        raise EngineError(
            f"weights {path}: missing tensors lstm.weight_ih_l0, proj.weight; not a voice encoder "
            "of Chatterbox"
        )
    width, bands = recurrent.shape[0] // 4, recurrent.shape[1]
    if bands != BANDS:
        raise EngineError(f"weights {path}: a voice encoder of {bands} bands, expected {BANDS}")
    size = out.shape[0]
    return fill_model(
        path, lambda: VoiceEncoder(width, size), tensors, "a voice encoder of Chatterbox"
    )


def _renamed(name: str) -> str:
    for old, new in RENAMED.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _unit(x: Tensor) -> Tensor:
    unit: Tensor = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return unit
