"""
Speaker similarity: the cosine between speaker embeddings by Resemblyzer's encoder.

Wan et al. 2018, "Generalized end-to-end loss for speaker verification": a 3-layer LSTM over mel
spectrograms of 1.6 s, averaged over the recording. The weights are the file inside the package
Resemblyzer, which is not imported; mel, cutting and encoder follow it exactly. Silence is cut by
our own detector (`audio/activity.py`) in place of WebRTC's: the cosine between the two is 0.980 to
1.000 (12 recordings), least where it changes the number of stretches. All speech is heard at one
level: the encoder reads the mel power itself, and 6 dB alone cost 0.039.

Embeddings are not negative, so a cosine lies in 0..1, and other speakers score far above 0: only
differences are meaningful.
"""

import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity
from voxgate.harness.audio.mel import power_mel
from voxgate.harness.audio.recording import Recording, Samples
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.models.packaged_file import packaged_file
from voxgate.harness.records.measurement import Metric, Missing, Value, not_installed

Embedding = NDArray[np.float64]

PACKAGE, IMPORT_NAME = "Resemblyzer", "resemblyzer"
WEIGHTS = ("pretrained.pt", "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e")

RATE_HZ = 16_000
MEL_WIDTH, MEL_HOP, MEL_BANDS = 400, 160, 40  # 25 ms every 10 ms
HIDDEN, LAYERS = 256, 3
PARTIAL = 160  # analysis frames that the encoder was trained on: 1.6 s
PARTIAL_STEP = 77  # 1.3 partial utterances per second
GROUP = 64  # partial utterances at once: bounds memory, whatever the length of the audio
LEAST_COVERED = 0.75  # a last partial utterance with a smaller share of audio is left out
# silence kept on each side of speech, as by the dilation over 7 frames of 30 ms in Resemblyzer
KEPT_S = 0.09
# Parts of 0.7 s are as near to their own recording (0.76 and more) as the nearest other speaker
# gets (at most 0.76); shorter ones fall to 0.62. Measured on slt, and on slt, rms and awb of the
# embedded voice.
SHORTEST_S = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """The loaded network: torch modules [batch, 160, 40] -> LSTM -> linear [batch, 256]."""

    lstm: Any
    linear: Any


def speaker_similarity(inputs: MetricInput) -> Value:
    """Return the cosine to the reference performance's voice; 1 for the same audio."""
    assert inputs.reference is not None, "the scorer offers what the metric needs"
    return _similarity(inputs.audio, inputs.reference)


def voice_similarity(inputs: MetricInput) -> Value:
    """Return the cosine to the recording of the speaker that the audio should sound like."""
    assert inputs.voice is not None, "the scorer offers what the metric needs"
    return _similarity(inputs.audio, inputs.voice)


def _similarity(candidate: Recording, reference: Recording) -> Value:
    ours, theirs = candidate.once(embedding), reference.once(embedding)
    if isinstance(ours, Missing):
        return ours
    if isinstance(theirs, Missing):
        return Missing(f"the recording to compare with: {theirs.reason}", theirs.kind)
    return float(np.clip(ours @ theirs, 0.0, 1.0))  # rounding alone could leave the range


def embedding(recording: Recording) -> Embedding | Missing:
    """
    Compute the speaker embedding, length 1, shape [256]: the mean over partial utterances of
    1.6 s.
    """
    windows = recording.once(window_embeddings)
    if isinstance(windows, Missing):
        return windows
    mean = windows.mean(axis=0)
    return _unit(mean) if mean.any() else Missing("the encoder heard no voice")


def window_embeddings(recording: Recording) -> Embedding | Missing:
    """Compute the embedding of each partial utterance of 1.6 s, length 1, shape [n, 256]."""
    speech = speech_only(recording)
    if isinstance(speech, Missing):
        return speech
    encoder = _encoder()
    if isinstance(encoder, Missing):
        return encoder
    return _encoded(encoder, partial_utterances(speech))


def speech_only(recording: Recording) -> Samples | Missing:
    """
    Return the speech at 16 kHz and at one level, without silences; Missing below SHORTEST_S of it.
    """
    speech = recording.once(activity.segments)
    if isinstance(speech, Missing):
        return speech
    samples = recording.at(RATE_HZ)
    kept = np.zeros(len(samples), dtype=bool)
    for start_s, end_s in _stretches(speech):
        kept[max(round((start_s - KEPT_S) * RATE_HZ), 0) : round((end_s + KEPT_S) * RATE_HZ)] = True
    if speech.speech_s < SHORTEST_S:
        return Missing(
            f"{speech.speech_s:.2f} s of speech are too short to tell a voice, which takes "
            f"{SHORTEST_S} s"
        )
    gain = recording.once(activity.network_gain)
    return gain if isinstance(gain, Missing) else samples[kept] * gain


def _stretches(speech: activity.Activity) -> Iterator[tuple[float, float]]:
    """Yield (start, end) in seconds of the speech between pauses."""
    edges_s = [speech.start_s, *(edge for pause in speech.pauses for edge in pause), speech.end_s]
    return zip(edges_s[::2], edges_s[1::2], strict=True)


def partial_utterances(speech: Samples) -> NDArray[np.float32]:
    """
    Return the mel power of overlapping stretches of 1.6 s, shape [n, 160, 40], padded with
    zeros.
    """
    starts = partial_starts(len(speech))
    missing = max((starts[-1] + PARTIAL) * MEL_HOP - len(speech), 0)
    mel = power_mel(
        np.pad(speech, (0, missing)), RATE_HZ, width=MEL_WIDTH, hop=MEL_HOP, bands=MEL_BANDS
    )
    return np.stack([mel[start : start + PARTIAL] for start in starts]).astype(np.float32)


def partial_starts(length: int) -> list[int]:
    """
    Return the mel frame at which each partial utterance of `length` samples begins; at least
    one.
    """
    count = -(-(length + 1) // MEL_HOP)
    starts = list(range(0, max(1, count - PARTIAL + PARTIAL_STEP + 1), PARTIAL_STEP))
    covered = (length - starts[-1] * MEL_HOP) / (PARTIAL * MEL_HOP)
    return starts[:-1] if covered < LEAST_COVERED and len(starts) > 1 else starts


def _encoded(encoder: Encoder, partials: NDArray[np.float32]) -> Embedding:
    """
    Return embeddings of length 1, shape [n, 256].

    The last state of the last layer, projected, negative parts cut.
    """
    import torch

    vectors = []
    with torch.inference_mode():
        for at in range(0, len(partials), GROUP):
            _, (state, _) = encoder.lstm(torch.from_numpy(partials[at : at + GROUP]))
            vectors += [
                _unit(vector) for vector in torch.relu(encoder.linear(state[-1])).double().numpy()
            ]
    return np.stack(vectors)


def _unit(vector: Embedding) -> Embedding:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


@functools.cache
def _encoder() -> Encoder | Missing:
    """
    Load the network with Resemblyzer's weights, once per process; only tensors are read from
    the file.
    """
    path = packaged_file(IMPORT_NAME, *WEIGHTS)
    if isinstance(path, Missing):
        return path
    if importlib.util.find_spec("torch") is None:
        return not_installed("torch")
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    # creating modules draws random numbers; the global generator must not advance
    with torch.random.fork_rng(devices=[]):
        lstm = torch.nn.LSTM(MEL_BANDS, HIDDEN, LAYERS, batch_first=True)
        linear = torch.nn.Linear(HIDDEN, HIDDEN)
    for name, module in (("lstm.", lstm), ("linear.", linear)):
        module.load_state_dict(
            {
                key.removeprefix(name): tensor
                for key, tensor in state.items()
                if key.startswith(name)
            }
        )
        module.eval().requires_grad_(False)
    return Encoder(lstm=lstm, linear=linear)


def _metric(name: str) -> Metric:
    return Metric(name=name, unit="1", better="higher", version="2")  # 2: at one level


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=_metric("speaker_similarity"),
        score=speaker_similarity,
        need=Need.TAKE,
        package=PACKAGE,
        heavy=True,
    ),
    AudioMetric(
        metric=_metric("voice_similarity"),
        score=voice_similarity,
        need=Need.VOICE,
        package=PACKAGE,
        heavy=True,
    ),
)
