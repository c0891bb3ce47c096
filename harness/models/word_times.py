"""
Word times: where each word of a known text stands in a recording.

Aligns by Whisper's cross-attention, as openai-whisper's own word time stamps do: the text is given
and not recognised, so a word that is mumbled has a place too. While the decoder is about to write a
token it attends to the sound of that token; the most likely way through these weights, every frame
in turn, gives each token its frames. Times are good to about a tenth of a second, and a pause
belongs to the word before or behind it: whoever needs edges looks for them in the audio.
"""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.models.whisper import (
    MARGIN_S,
    POSITIONS_PER_S,
    RATE_HZ,
    WINDOW_S,
    Audio,
    WhisperRecognizer,
    window_s,
)
from voxgate.harness.records.measurement import Missing

LONGEST_S = WINDOW_S - MARGIN_S
SMOOTHED = 7
"""Frames of the median filter over the weights of a token, as in openai-whisper."""
VERSION = "cross-attention r1"


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTime:
    """A word and its place, in seconds from the start of the recording."""

    word: str
    start_s: float
    end_s: float


def word_times(
    recognizer: WhisperRecognizer, audio: Audio, text: str, language: str
) -> tuple[WordTime, ...] | Missing:
    """
    Align a text with a recording of it (mono, 16 kHz, at most LONGEST_S).

    Missing for a recording or a text that does not fit into the window.
    """
    from whisper.tokenizer import get_tokenizer

    duration_s = len(audio) / RATE_HZ
    if not 0.0 < duration_s <= LONGEST_S:
        return Missing(f"{duration_s:.1f} s do not fit into Whisper's window of {LONGEST_S:.0f} s")
    model = recognizer.model
    tokenizer = get_tokenizer(
        model.is_multilingual,
        num_languages=model.num_languages,
        language=language,
        task="transcribe",
    )
    tokens = tokenizer.encode(" " + text.strip())
    frames = math.ceil(duration_s * POSITIONS_PER_S)
    before = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
    if not 0 < len(tokens) <= min(frames, model.dims.n_text_ctx - len(before) - 1):
        return Missing(f"{len(tokens)} tokens of text do not fit {duration_s:.1f} s of audio")
    weights = _attention(recognizer, audio, [*before, *tokens, tokenizer.eot])
    # the row before a token's own is the one that writes it
    first = len(before) - 1
    starts = monotonic_path(weights[first : first + len(tokens), :frames])
    words, pieces = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    ends = np.cumsum([len(piece) for piece in pieces[:-1]])
    edges = [*starts.tolist(), frames]
    return tuple(
        WordTime(
            word=word.strip(),
            start_s=edges[end - len(piece)] / POSITIONS_PER_S,
            end_s=edges[end] / POSITIONS_PER_S,
        )
        for word, piece, end in zip(words, pieces, ends.tolist(), strict=False)
    )


def _attention(
    recognizer: WhisperRecognizer, audio: Audio, tokens: list[int]
) -> NDArray[np.float64]:
    """
    Return how strongly each token attends to each frame, shape [tokens, 1500]: the mean over the
    alignment heads of the standardised and smoothed weights.
    """
    import torch
    from scipy.ndimage import median_filter
    from whisper.model import disable_sdpa

    model, layers = recognizer.model, dict[int, Any]()
    seconds = window_s(len(audio) / RATE_HZ)
    with torch.inference_mode(), disable_sdpa(), ExitStack() as hooks:
        for index, block in enumerate(model.decoder.blocks):

            def keep(_module: Any, _inputs: Any, outputs: Any, index: int = index) -> None:
                layers[index] = outputs[-1][0]

            hooks.callback(block.cross_attn.register_forward_hook(keep).remove)
        model.decoder(torch.tensor([tokens]), recognizer.features([audio], seconds))
        heads = torch.stack(
            [layers[int(layer)][int(head)] for layer, head in model.alignment_heads.indices().T]
        )
        frames = math.ceil(len(audio) / RATE_HZ * POSITIONS_PER_S)
        weights = heads[:, :, :frames].float().softmax(dim=-1)
        deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
        standard = ((weights - mean) / deviation.clamp(min=1e-9)).double().numpy()
    smooth = median_filter(standard, size=(1, 1, SMOOTHED), mode="nearest")
    return np.asarray(smooth.mean(axis=0), dtype=np.float64)


def monotonic_path(weights: NDArray[np.float64]) -> NDArray[np.intp]:
    """
    Return the first frame of each token on the best way through `weights`, shape [tokens, frames].

    Every frame belongs to one token, every token has a frame, and their order stays.
    """
    count, frames = weights.shape
    best = np.full(count, -np.inf)
    best[0] = weights[0, 0]
    stepped = np.zeros((frames, count), dtype=bool)
    for frame in range(1, frames):
        before = np.concatenate(([-np.inf], best[:-1]))
        stepped[frame] = before > best
        best = np.maximum(before, best) + weights[:, frame]
    starts = np.zeros(count, dtype=np.intp)
    token = count - 1
    for frame in range(frames - 1, 0, -1):
        if stepped[frame, token]:
            starts[token] = frame
            token -= 1
    return starts
