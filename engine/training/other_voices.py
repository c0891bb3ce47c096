"""
Synthesise sentences by other free engines, for an encoder that must follow voices it never heard.

Pico (two voices), festival's diphones (two) and espeak-ng (accents and variants by the hundred),
each with a random pace and pitch. None of them prints usable phone times, so the phones are those
that flite reads in the same sentence; `align.py` finds their times.

One safetensors file per shard, as `corpus.py` writes them but without times: `audio` int16,
`phones` int16, `utterances` int64 (n, 3): audio end, phone end, number of the voice in `ENGINES`.
"""

import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from safetensors.numpy import save_file

from voxgate.engine.alphabet import PHONE_IDS, SAMPLE_RATE_HZ
from voxgate.engine.training.corpus import flite, in_shards
from voxgate.engine.training.texts import training_sentences

ENGINES = {"pico": 0.30, "festival": 0.22, "espeak": 0.48}
"""Engine -> share of the sentences."""
PICO = ("en-US", "en-GB")
FESTIVAL = ("kal_diphone", "ked_diphone")
ACCENTS = ("en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029")
VARIANTS = (
    "m1 m2 m3 m4 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt4 Denis edward caleb Mike Gene belinda "
    "antonio quincy adam robert Diogo steph anika Mario Annie Andrea rob john Henrique benjamin "
    "boris Hugo Michael paul norbert miguel Alicia victor linda Andy Alex Jacky david zac max "
    "michel shelby travis Marco"
).split()


def other_voice(text: str, rng: random.Random, scratch: Path) -> tuple[np.ndarray, int]:
    """
    Return `text` spoken by an engine and a voice drawn at random, float32 (T,) at SAMPLE_RATE_HZ,
    and the engine's number.
    """
    engine = rng.choices(list(ENGINES), weights=list(ENGINES.values()))[0]
    speak = {"pico": _pico, "festival": _festival, "espeak": _espeak}[engine]
    speak(text, rng, scratch)
    audio, rate_hz = soundfile.read(scratch, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        audio = soxr.resample(audio, rate_hz, SAMPLE_RATE_HZ)
    return audio, list(ENGINES).index(engine)


def _pico(text: str, rng: random.Random, scratch: Path) -> None:
    from py_nanotts import NanoTTS  # Apache-2.0

    spoken = NanoTTS().speak(
        text,
        voice=rng.choice(PICO),
        speed=rng.uniform(0.8, 1.3),
        pitch=rng.uniform(0.75, 1.35),
        volume=0.5,  # its own default clips
    )
    soundfile.write(scratch, np.frombuffer(spoken, dtype=np.int16), SAMPLE_RATE_HZ)


def _festival(text: str, rng: random.Random, scratch: Path) -> None:
    command = [
        "text2wave", "-o", str(scratch), "-F", str(SAMPLE_RATE_HZ),
        "-eval", f"(voice_{rng.choice(FESTIVAL)})",
        "-eval", f"(Parameter.set 'Duration_Stretch {rng.uniform(0.9, 1.25):.2f})",
    ]  # fmt: skip
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def _espeak(text: str, rng: random.Random, scratch: Path) -> None:
    voice = f"{rng.choice(ACCENTS)}+{rng.choice(VARIANTS)}"
    command = [
        "espeak-ng", "-v", voice, "-s", str(rng.randint(120, 175)), "-p", str(rng.randint(25, 75)),
        "-w", str(scratch), text,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def write_shard(texts: list[str], *, seed: int, path: Path) -> None:
    """Synthesise `texts` and write one shard. An existing shard is kept."""
    if path.exists():
        return
    rng = random.Random(seed)
    audios, phones, engines = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "one.wav"
        for text in texts:
            timed = flite(text, speaker="slt", stretch=1.0, pitch=1.0, out=scratch)
            audio, engine = other_voice(text, rng, scratch)
            peak = float(np.abs(audio).max(initial=1e-4))
            audios.append(np.round(audio / peak * 0.6 * 32767).astype(np.int16))
            phones.append(np.array([PHONE_IDS[name] for name, _ in timed], dtype=np.int16))
            engines.append(engine)
    ends = [np.cumsum([len(each) for each in parts]) for parts in (audios, phones)]
    rows = np.stack((*ends, np.array(engines)), axis=1).astype(np.int64)
    unfinished = path.with_suffix(".part")
    tensors = {"audio": np.concatenate(audios), "phones": np.concatenate(phones)}
    save_file(tensors | {"utterances": rows}, unfinished)
    unfinished.rename(path)


def build(
    folder: Path, *, count: int, seed: int, heldout: frozenset[str], processes: int = 2
) -> list[Path]:
    """Synthesise `count` sentences under `folder`; existing shards are kept."""
    texts = list(training_sentences(count, seed, heldout))
    return in_shards(write_shard, texts, folder, name="other", seed=seed, processes=processes)
