"""
How well are the words understood after each part of the token pipeline? The table of
docs/evidence/speech-tokens.md.

    python -m tests.studies.speech_tokens [--sentences 200] [--plain FOLDER]

Sentences that no model was trained on. The round trip is flite's speech through the tokeniser, the
flow and the vocoder, in the same voice and in another one: the bound for T3. FOLDER is a voice with
the plain T3, as `voxgate.engine.training.tokens` writes it.
"""

import argparse
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from voxgate.engine.pipelines.token import TokenPipeline
from voxgate.engine.tokens.generate import SpeechTokens
from voxgate.harness.metrics.word_errors import word_errors
from voxgate.harness.models.whisper import WhisperRecognizer, load_recognizer
from voxgate.harness.models.whisper_weights import packaged_paths
from voxgate.harness.targets.flite import STRETCH

HELDOUT = Path(__file__).parents[2] / "engine" / "training" / "heldout.txt"
VOICES = ("slt", "rms")
RATE_HZ = 16_000


@dataclass(frozen=True)
class Spoken:
    """Audio of one sentence, and what the model of tokens did for it."""

    audio: np.ndarray
    ended: bool = True


def sentences(count: int) -> list[str]:
    """Return held-out sentences, evenly spread over the file."""
    lines = [line for line in HELDOUT.read_text().splitlines() if line.strip()]
    return lines[:: len(lines) // count][:count]


def flite(text: str, voice: str) -> np.ndarray:
    """Speak a sentence by flite at the pace of the embedded voice."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "spoken.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={STRETCH}"]
        subprocess.run([*command, "-t", text, "-o", str(out)], check=True)
        audio, _ = soundfile.read(out, dtype="float32")
    return audio


def round_trip(pipeline: TokenPipeline, recordings: list[np.ndarray], shift: int) -> Callable:
    """Return a speaker of tokens that the tokeniser made, in the voice `shift` places on."""

    def speak(number: int, text: str) -> Spoken:
        codes = pipeline.voice.tokenizer.encode(torch.from_numpy(recordings[number]))
        made = SpeechTokens(codes=codes, ended=True, pointer=())
        drawn, pipeline.generate = pipeline.generate, lambda *_, **__: [made]
        try:
            voice = VOICES[(number + shift) % 2]
            return Spoken(pipeline.synthesize(text, {"speaker": voice, "seed": number}))
        finally:
            pipeline.generate = drawn

    return speak


def by_t3(pipeline: TokenPipeline) -> Callable:
    """Return a speaker of texts."""

    def speak(number: int, text: str) -> Spoken:
        ended: list[bool] = []
        drawn = pipeline.generate

        def watched(*given: object, **named: object) -> list[SpeechTokens]:
            made = drawn(*given, **named)
            ended.extend(each.ended for each in made)
            return made

        pipeline.generate = watched
        try:
            audio = pipeline.synthesize(text, {"speaker": VOICES[number % 2], "seed": number})
        finally:
            pipeline.generate = drawn
        return Spoken(audio, all(ended))

    return speak


def row(
    name: str,
    speak: Callable[[int, str], Spoken],
    texts: list[str],
    recordings: list[np.ndarray],
    recognizer: WhisperRecognizer,
) -> str:
    """Speak all sentences and return their row of the table."""
    started_s = time.process_time()
    spoken = [speak(number, text) for number, text in enumerate(texts)]
    cpu_s = time.process_time() - started_s
    heard = recognizer.transcribe([each.audio for each in spoken])
    counts = [word_errors(text, words) for text, words in zip(texts, heard, strict=True)]
    errors = sum(count.errors for count in counts)
    words = sum(count.reference_words for count in counts)
    ratios = [each.audio.size / one.size for each, one in zip(spoken, recordings, strict=True)]
    seconds = sum(each.audio.size for each in spoken) / RATE_HZ
    return (
        f"| {name} | {100 * errors / words:.1f} | {errors} of {words} | "
        f"{sum(each.ended for each in spoken)} of {len(spoken)} | "
        f"{min(ratios):.2f} to {max(ratios):.2f} | {cpu_s / seconds:.3f} |"
    )


def rows(count: int, plain: Path | None) -> Iterator[str]:
    """Yield the rows of the table."""
    texts = sentences(count)
    recordings = [flite(text, VOICES[number % 2]) for number, text in enumerate(texts)]
    recognizer = load_recognizer(*packaged_paths())
    pipeline = TokenPipeline.load({"threads": 1, "chunk_characters": 200})
    spoken = {
        "flite itself": lambda number, _: Spoken(recordings[number]),
        "flite -> tokens -> flow -> vocoder, same voice": round_trip(pipeline, recordings, 0),
        "the same, other voice": round_trip(pipeline, recordings, 1),
        "text -> T3 -> flow -> vocoder": by_t3(pipeline),
    }
    if plain:
        unpointed = TokenPipeline.load({"threads": 1, "chunk_characters": 200}, plain)
        spoken["the same with the plain T3, without a pointer"] = by_t3(unpointed)
    for name, speak in spoken.items():
        yield row(name, speak, texts, recordings, recognizer)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--plain", type=Path)
    chosen = parser.parse_args()
    print(f"{platform.machine()}, 1 thread, torch {torch.__version__}")
    print("| chain | WER % | words wrong | ended | length against flite | CPU s per s of audio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for line in rows(chosen.sentences, chosen.plain):
        print(line, flush=True)


if __name__ == "__main__":
    main()
