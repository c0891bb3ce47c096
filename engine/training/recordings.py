"""
Read a folder of human recordings with their texts, as LJSpeech lays it out (Ito & Johnson 2017).

`metadata.csv` has lines `name|text|text with numbers in words`, `wavs/name.wav` the audio. The
shards are those of `other_voices.py`: the phones are flite's reading, and have no times yet.
"""

import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from safetensors.numpy import save_file

from voxgate.engine.alphabet import PHONE_IDS, SAMPLE_RATE_HZ
from voxgate.engine.errors import EngineError
from voxgate.engine.training.corpus import flite

PEAK = 0.6
HUMAN = 3
"""Number of the voices behind those of `other_voices.ENGINES`."""


def texts_of(folder: Path) -> dict[str, str]:
    """Read the texts by name, of the recordings that are there."""
    table = folder / "metadata.csv"
    if not table.is_file():
        raise EngineError(f"recordings {folder} hold no metadata.csv; give a folder as LJSpeech's")
    rows = [line.split("|") for line in table.read_text(encoding="utf-8").splitlines() if line]
    return {row[0]: row[-1] for row in rows if (folder / "wavs" / f"{row[0]}.wav").is_file()}


def write_shard(folder: Path, path: Path) -> None:
    """Read all recordings of a folder and write one shard. An existing shard is kept."""
    if path.exists():
        return
    audios, phones = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts_of(folder).items():
            timed = flite(
                text, speaker="slt", stretch=1.0, pitch=1.0, out=Path(scratch) / "one.wav"
            )
            audio, rate_hz = soundfile.read(folder / "wavs" / f"{name}.wav", dtype="float32")
            audio = soxr.resample(audio, rate_hz, SAMPLE_RATE_HZ)
            loudest = float(np.abs(audio).max(initial=1e-4))
            audios.append(np.round(audio / loudest * PEAK * 32767).astype(np.int16))
            phones.append(np.array([PHONE_IDS[name] for name, _ in timed], dtype=np.int16))
    ends = [np.cumsum([len(each) for each in parts]) for parts in (audios, phones)]
    rows = np.stack((*ends, np.full(len(audios), HUMAN)), axis=1).astype(np.int64)
    unfinished = path.with_suffix(".part")
    tensors = {"audio": np.concatenate(audios), "phones": np.concatenate(phones)}
    save_file(tensors | {"utterances": rows}, unfinished)
    unfinished.rename(path)
