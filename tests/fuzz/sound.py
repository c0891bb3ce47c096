"""Audio files, files of weights, and texts that are to be spoken."""

import io
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.fuzz import mutate
from tests.fuzz.driver import FaultError
from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.f5_checkpoint import load_infill_voice
from voxgate.engine.weights.random_checkpoint import write_random_voice
from voxgate.engine.weights.voice import load_voice, save_model
from voxgate.harness.audio.files import (
    decode_audio,
    flac_bytes,
    promised_duration_s,
    read_audio,
    wav_bytes,
)

WORDS = (
    "Hello", "there", "1,234.56", "$5", "10:30", "Dr.", "NASA", "2026-11-20", "é", "naïve", "😀",
    "漢字", "٣", "%",
    "1/2", "0" * 40, "-",
    "...", "\u202e", "\x00", "\n", "http://a.b/c?d=e", "a@b.c", "I.", "VIII", "1e9", "½", "²", "&",
    "'s", "—", "(",
    ")", '"', "\u200d",
    "ﬁ", "ß", "İ", "x" * 60, "99999999999999999999999", "1st", "22nd", "3.14.15", "+1 555 0100",
    "€1.5m", "°C",
    "\ud800", "\ufeff", " ",
)  # fmt: skip


class AudioFiles:
    """Input: an audio file."""

    name, share = "audio files", 40.0

    def __init__(self, folder: Path) -> None:
        self._path = folder / "x.wav"
        audio = (0.1 * np.sin(np.arange(1200) * 0.05)).astype(np.float32)
        self._wholes = [
            wav_bytes(audio, 24_000, "x"),
            flac_bytes(audio, 16_000, "x"),
            flac_bytes(audio * 0, 8_000, "x"),
        ]

    def make(self, chance: random.Random) -> bytes:
        return mutate.broken(chance.choice(self._wholes), chance)

    def read(self, content: bytes) -> None:
        self._path.write_bytes(content)
        promised_duration_s(self._path)
        frames, rate_hz = read_audio(self._path)
        again, again_hz = decode_audio(io.BytesIO(content))
        if rate_hz <= 0 or frames.ndim != 1 or (frames.shape, rate_hz) != (again.shape, again_hz):
            raise FaultError("audio that is none", f"{frames.shape} at {rate_hz}")

    def names(self, refusal: str) -> bool:
        return str(self._path) in refusal


class Weights:
    """Input: the name of a file of a voice and its content."""

    name, share = "weights", 5.0

    def __init__(self, folder: Path) -> None:
        self._voice, self._published = folder / "voice", folder / "published"
        self._voice.mkdir()
        _write_voice(self._voice)
        write_random_voice(self._published, small=True)
        model = self._published / "model_random.safetensors"
        _shrink(model)
        ours = [path for path in self._voice.iterdir() if path.suffix == ".safetensors"]
        theirs = [
            model,
            self._published / "vocab.txt",
            self._published / "vocos" / "pytorch_model.bin",
        ]
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in (*ours, *theirs)
        }
        self._folder = folder

    def make(self, chance: random.Random) -> bytes:
        names = sorted(self._files)
        name = chance.choice(
            names
            if chance.random() < 0.1
            else [each for each in names if each.startswith("voice/")]
        )
        content = self._files[name]
        if name.endswith(".safetensors") and chance.random() < 0.75:
            return name.encode() + b"\n" + _with_head(content, chance)
        return (
            name.encode()
            + b"\n"
            + mutate.broken(
                content, chance, (b"PK\x03\x04", b"\x80\x02", b"\xff" * 8, b"cos\nsystem\n", b"\n")
            )
        )

    def read(self, content: bytes) -> None:
        line, _, damaged = content.partition(b"\n")
        name = line.decode("latin-1")
        if name not in self._files:
            return
        path = self._folder / name
        path.write_bytes(damaged)
        try:
            if name.startswith("voice/"):
                load_voice(self._voice)
            else:
                load_infill_voice(self._published, version=1)
        finally:
            path.write_bytes(self._files[name])

    def names(self, refusal: str) -> bool:
        return str(self._folder) in refusal


class Texts:
    """Input: a text to be spoken."""

    name, share = "texts to be spoken", 40.0

    def __init__(self, folder: Path) -> None: ...

    def make(self, chance: random.Random) -> bytes:
        words = [chance.choice(WORDS) for _ in range(chance.randint(1, 8))]
        if chance.random() < 0.3:
            words.append("".join(chr(chance.randrange(32, 0x3000)) for _ in range(6)))
        return chance.choice((" ", "", ",", ". ")).join(words).encode("utf-8", "surrogatepass")

    def read(self, content: bytes) -> None:
        chunks = phonemise(content.decode("utf-8", "replace"))
        if not chunks:
            raise FaultError("no chunk", "")

    def names(self, refusal: str) -> bool:
        return "text" in refusal or "spoken" in refusal


def _write_voice(folder: Path) -> None:
    """Write the smallest voice that there is."""
    torch.manual_seed(0)
    small: list[tuple[str, Any, Any]] = [
        ("durations", DurationModel, _smallest(DurationShape)),
        ("acoustic", DiT, _smallest(DiTShape)),
        ("vocoder", Vocos, _smallest(VocosShape)),
    ]
    for name, make, shape in small:
        about = {"mel_mean": "-3.0", "mel_std": "2.0"} if name == "acoustic" else {}
        save_model(folder / f"{name}.safetensors", make(shape), shape, **about)
    load_voice(folder)


SMALL = {
    "phones": len(PHONES),
    "speakers": len(SPEAKERS),
    "width": 16,
    "hidden": 8,
    "depth": 1,
    "blocks": 1,
    "layers": 1,
    "bands": 8,
    "heads": 2,
    "text_width": 8,
    "text_blocks": 1,
    "n_fft": 16,
    "hop": 4,
}


def _smallest(kind: Any) -> Any:
    return kind(**{name: size for name, size in SMALL.items() if name in kind.__dataclass_fields__})


def _shrink(path: Path) -> None:
    """Leave of a model what is refused or read soon: the first tensors."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    save_file({name: value for name, value in tensors.items() if value.numel() < 4096}, path)


def _with_head(content: bytes, chance: random.Random) -> bytes:
    """Return safetensors of which the JSON head is another, with its own length mostly."""
    (size,) = struct.unpack("<Q", content[:8])
    head = json.loads(content[8 : 8 + size])
    if "shape" in head.get("__metadata__", {}) and chance.random() < 0.5:
        head["__metadata__"]["shape"] = mutate.json_text(
            json.loads(head["__metadata__"]["shape"]), chance
        ).decode("utf-8", "replace")
        text = json.dumps(head).encode("utf-8", "surrogatepass")
    else:
        text = mutate.json_text(head, chance)
    told = (
        len(text)
        if chance.random() < 0.9
        else chance.choice((0, 1, 2**63, 2**64 - 1, len(text) + 9))
    )
    return struct.pack("<Q", told) + text + content[8 + size :]
