"""
Synthesise the training corpus: Debian's flite reads sentences and prints where every phone ends.

The pitch of every utterance is drawn at random (flite's own is the same each time).
That is on purpose: pitch is no input of the acoustic model, so it has to *choose* one, and a solver
with too few steps averages over the choices instead, which is audible.
Questions get a rising end by WORLD, because flite ignores the question mark.

One safetensors file per shard: `audio` int16, `phones` int16, `ends` int32 (in samples),
`utterances` int64 (n, 5): audio end, phone end, speaker, question, stretch in thousandths.
"""

import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save_file

from voxgate.engine.alphabet import PHONE_IDS, SAMPLE_RATE_HZ, SPEAKERS
from voxgate.engine.training.texts import training_sentences

SPEAKER_SHARES = {"slt": 0.40, "rms": 0.40, "awb": 0.20}
TOKENIZER_SPEAKERS = (*SPEAKERS, "kal16")
"""Voices that the speech tokeniser is trained on: one more than the embedded voice speaks."""
TOKENIZER_SHARES = {"slt": 0.34, "rms": 0.34, "awb": 0.18, "kal16": 0.14}
STRETCH_RANGE = (1.0, 1.3)
PITCH_SPREAD = 0.10
RISE_SEMITONES = 7.0
RISE_S = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusUtterance:
    """
    One utterance: int16 audio (T,), phone ids (P,), and the sample at which each phone ends (P,).
    """

    audio: np.ndarray
    phones: np.ndarray
    ends: np.ndarray
    speaker: int
    question: bool
    stretch: float


def parse_phones(line: str) -> list[tuple[str, float]]:
    """Parse flite's `-psdur` line, `phone:end_s phone:end_s ...`."""
    return [(name, float(end)) for name, end in re.findall(r"(\w+):([0-9.]+)", line)]


def flite(
    text: str, *, speaker: str, stretch: float, pitch: float, out: Path
) -> list[tuple[str, float]]:
    """
    Synthesise `text` into the wav file `out` and return the phones with their end times in seconds.
    """
    command = ["flite", "-voice", speaker, "--setf", f"duration_stretch={stretch:.3f}", "--setf",
        f"f0_shift={pitch:.3f}",
               "-psdur", "-t", text, "-o", str(out)]  # fmt: skip
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    return parse_phones(completed.stdout)


def raise_end(
    audio: np.ndarray, *, semitones: float = RISE_SEMITONES, rise_s: float = RISE_S
) -> np.ndarray:
    """
    Raise the pitch over the last part of the voiced speech, as in a yes/no question.

    Args:
        audio: float64 (T,), at SAMPLE_RATE_HZ.
        semitones: rise reached at the end.
        rise_s: length of the ramp.

    Returns: float64 (T,). WORLD analysis and synthesis: Morise et al. 2016.
    """
    import pyworld

    f0, at_s = pyworld.dio(audio, SAMPLE_RATE_HZ)
    f0 = pyworld.stonemask(audio, f0, at_s, SAMPLE_RATE_HZ)
    voiced = np.flatnonzero(f0 > 0)
    if voiced.size == 0:
        return audio
    spectrum = pyworld.cheaptrick(audio, f0, at_s, SAMPLE_RATE_HZ)
    noise = pyworld.d4c(audio, f0, at_s, SAMPLE_RATE_HZ)
    ramp = np.clip((at_s - (at_s[voiced[-1]] - rise_s)) / rise_s, 0.0, 1.0)
    risen = pyworld.synthesize(
        f0 * 2.0 ** (semitones * ramp / 12.0), spectrum, noise, SAMPLE_RATE_HZ
    )
    return np.pad(risen, (0, max(0, audio.size - risen.size)))[: audio.size]


def speak(
    text: str, *, rng: random.Random, scratch: Path, shares: Mapping[str, float]
) -> CorpusUtterance:
    """Synthesise `text` by a voice drawn from `shares`, with a random stretch and pitch."""
    speaker = rng.choices(list(shares), weights=list(shares.values()))[0]
    stretch = rng.uniform(*STRETCH_RANGE)
    pitch = float(np.exp(rng.gauss(0.0, PITCH_SPREAD)))
    question = text.endswith("?")
    timed = flite(text, speaker=speaker, stretch=stretch, pitch=pitch, out=scratch)
    audio, rate = soundfile.read(scratch, dtype="float64")
    assert rate == SAMPLE_RATE_HZ, f"flite wrote {rate} Hz, expected {SAMPLE_RATE_HZ}"
    if question:
        audio = raise_end(audio)
    ends = np.array([round(end * rate) for _, end in timed], dtype=np.int32)
    ends[-1] = audio.size
    return CorpusUtterance(
        audio=np.round(np.clip(audio, -1.0, 1.0) * 32767).astype(np.int16),
        phones=np.array([PHONE_IDS[name] for name, _ in timed], dtype=np.int16),
        ends=np.minimum(ends, audio.size),
        speaker=TOKENIZER_SPEAKERS.index(speaker),
        question=question,
        stretch=stretch,
    )


def write_shard(
    texts: list[str], *, seed: int, path: Path, shares: Mapping[str, float] = SPEAKER_SHARES
) -> None:
    """
    Synthesise `texts` and write one shard.

    An existing shard is kept, so an interrupted build resumes.
    """
    if path.exists():
        return
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "one.wav"
        spoken = [speak(text, rng=rng, scratch=scratch, shares=shares) for text in texts]
    audio_ends = np.cumsum([u.audio.size for u in spoken])
    phone_ends = np.cumsum([u.phones.size for u in spoken])
    rows = [
        (audio_end, phone_end, u.speaker, int(u.question), round(u.stretch * 1000))
        for u, audio_end, phone_end in zip(spoken, audio_ends, phone_ends, strict=True)
    ]
    unfinished = path.with_suffix(".part")
    save_file(
        {
            "audio": np.concatenate([u.audio for u in spoken]),
            "phones": np.concatenate([u.phones for u in spoken]),
            "ends": np.concatenate([u.ends for u in spoken]),
            "utterances": np.array(rows, dtype=np.int64),
        },
        unfinished,
    )
    unfinished.rename(path)


SHARD_SIZE = 400


def in_shards(
    write: Callable[..., None],
    sentences: Sequence[object],
    folder: Path,
    *,
    name: str,
    seed: int,
    processes: int,
) -> list[Path]:
    """
    Write sentences in shards of SHARD_SIZE under `folder`, in parallel; return the paths in order.

    `write` takes the sentences of a shard, `seed` and `path`, and keeps a shard that exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(sentences), SHARD_SIZE)
    groups = [sentences[start : start + SHARD_SIZE] for start in starts]
    paths = [folder / f"{name}-{index:03d}.safetensors" for index in range(len(groups))]
    with ProcessPoolExecutor(processes) as pool:
        jobs = [
            pool.submit(write, group, seed=seed * 1000 + index, path=path)
            for index, (group, path) in enumerate(zip(groups, paths, strict=True))
        ]
        for job in jobs:
            job.result()
    return paths


def build(
    folder: Path,
    *,
    count: int,
    seed: int,
    heldout: frozenset[str],
    processes: int = 2,
    shares: Mapping[str, float] = SPEAKER_SHARES,
) -> list[Path]:
    """
    Build the whole corpus under `folder` in parallel and return the shard paths in order.

    Existing shards are kept. `shares` is how often each voice speaks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = list(training_sentences(count, seed, heldout))
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    write = partial(write_shard, shares=shares)
    return in_shards(write, texts, folder, name="shard", seed=seed, processes=processes)
