"""
Synthesise the Spanish training corpus: SVOX Pico es-ES through `py-nanotts` (Apache-2.0).

`lola` is Pico's own voice, `hugo` the same one played slower: Pico speaks faster and lower, and
resampling lengthens its vocal tract.
Pace and pitch of every utterance are drawn at random, as in the English corpus.
A share of the utterances gets a wider pitch range by WORLD: semitones around the median times
WIDE_FACTOR.
Pico prints no phone times; `spanish_align.py` finds them.

One safetensors file per shard: `audio` int16, `utterances` int64 (n, 4): audio end, speaker id,
question, stretch in thousandths. Its sentences are lines of a text file beside it.
"""

import random
from pathlib import Path

import numpy as np
import soxr
from safetensors.numpy import save_file

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.training.corpus import in_shards, raise_end
from voxgate.engine.training.spanish_texts import training_sentences

HUGO_SHARE = 0.42
HUGO_RATE = 0.84
"""Playback rate: formants and pitch of Pico times this."""
HUGO_PITCH = 0.74
"""Pico's own pitch factor before it."""
PITCH_SPREAD = 0.08
STRETCH_RANGE = (1.0, 1.3)
LEVEL = 0.11
"""Root mean square of an utterance, near flite's."""
RISEN_END = 5.0
"""
Semitones above the median that the pitch of a yes/no question reaches at its end. Pico itself
raises a quarter of them.
"""
WIDE_SHARE = 0.25
WIDE_FACTOR = 1.45
END_STEPS = 24
"""Of the pitch track, 5 ms each, that are the end."""
MOST_RISE = 14.0


def speak(text: str, *, speed: float, pitch: float) -> np.ndarray:
    """Synthesise `text` by Pico, float64 (T,) at SAMPLE_RATE_HZ."""
    from py_nanotts import NanoTTS

    spoken = NanoTTS().speak(text, voice="es-ES", speed=speed, pitch=pitch, volume=0.5)
    return np.frombuffer(spoken, dtype=np.int16) / 32768.0


def widen_pitch(audio: np.ndarray, factor: float) -> np.ndarray:
    """
    Scale the pitch range: semitones around the median F0 times `factor`. float64 (T,).

    WORLD analysis and synthesis: Morise et al. 2016.
    """
    import pyworld

    f0, at_s = pyworld.dio(audio, SAMPLE_RATE_HZ)
    f0 = pyworld.stonemask(audio, f0, at_s, SAMPLE_RATE_HZ)
    voiced = f0 > 0
    if not voiced.any():
        return audio
    middle = float(np.median(f0[voiced]))
    wide = np.where(voiced, middle * (np.maximum(f0, 1.0) / middle) ** factor, 0.0)
    wide = np.where(voiced, np.clip(wide, 55.0, 420.0), 0.0)
    spectrum = pyworld.cheaptrick(audio, f0, at_s, SAMPLE_RATE_HZ)
    noise = pyworld.d4c(audio, f0, at_s, SAMPLE_RATE_HZ)
    spoken = pyworld.synthesize(wide, spectrum, noise, SAMPLE_RATE_HZ)
    return np.pad(spoken, (0, max(0, audio.size - spoken.size)))[: audio.size]


def rise(audio: np.ndarray) -> np.ndarray:
    """Raise the end of a yes/no question to RISEN_END, where it ends lower. float64 (T,)."""
    import pyworld

    f0, at_s = pyworld.dio(audio, SAMPLE_RATE_HZ)
    f0 = pyworld.stonemask(audio, f0, at_s, SAMPLE_RATE_HZ)
    voiced = 12.0 * np.log2(f0[f0 > 0])
    if voiced.size < 2 * END_STEPS:
        return audio
    missing = RISEN_END - (np.median(voiced[-END_STEPS:]) - np.median(voiced))
    return audio if missing <= 0 else raise_end(audio, semitones=min(float(missing), MOST_RISE))


def voice(
    text: str, *, hugo: bool, wide: bool, stretch: float, pitch: float, rises: bool = False
) -> np.ndarray:
    """Synthesise one utterance by either speaker, int16 (T,), at LEVEL."""
    if hugo:
        audio = speak(text, speed=1 / (stretch * HUGO_RATE), pitch=pitch * HUGO_PITCH)
        audio = soxr.resample(audio, SAMPLE_RATE_HZ * HUGO_RATE, SAMPLE_RATE_HZ)
    else:
        audio = speak(text, speed=1 / stretch, pitch=pitch)
    if wide:
        audio = widen_pitch(audio, WIDE_FACTOR)
    if rises:
        audio = rise(audio)
    loud = audio[np.abs(audio) > 0.02 * np.abs(audio).max()]
    audio = audio * (LEVEL / np.sqrt(np.mean(loud**2)))
    rounded: np.ndarray = np.round(np.clip(audio, -1.0, 1.0) * 32767).astype(np.int16)
    return rounded


def write_shard(sentences: list[tuple[str, bool]], *, seed: int, path: Path) -> None:
    """Synthesise `sentences` and write one shard. An existing shard is kept."""
    if path.exists():
        return
    rng = random.Random(seed)
    audios, rows, total = [], [], 0
    for text, rises in sentences:
        hugo, wide = rng.random() < HUGO_SHARE, rng.random() < WIDE_SHARE
        stretch = rng.uniform(*STRETCH_RANGE)
        pitch = float(np.exp(rng.gauss(0.0, PITCH_SPREAD)))
        audios.append(voice(text, hugo=hugo, wide=wide, stretch=stretch, pitch=pitch, rises=rises))
        total += audios[-1].size
        rows.append((total, int(hugo) + 2 * int(wide), int(rises), round(stretch * 1000)))
    path.with_suffix(".txt").write_text("\n".join(text for text, _ in sentences) + "\n")
    unfinished = path.with_suffix(".part")
    tensors = {"audio": np.concatenate(audios), "utterances": np.array(rows, dtype=np.int64)}
    save_file(tensors, unfinished)
    unfinished.rename(path)


def build(
    folder: Path, *, count: int, seed: int, heldout: frozenset[str], processes: int = 2
) -> list[Path]:
    """Synthesise `count` sentences under `folder`; existing shards are kept. Return the shards."""
    texts = list(training_sentences(count, seed, heldout))
    return in_shards(write_shard, texts, folder, name="shard", seed=seed, processes=processes)
