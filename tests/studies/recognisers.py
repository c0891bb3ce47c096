"""
How far openai-whisper and faster-whisper agree on the same weights:
`python -m tests.studies.recognisers FOLDER`.

FOLDER holds `texts.json` (file name -> text) and the files; a second word is their language. Prints
how many transcripts are the same after normalising, how many words differ, both corpus error rates,
and their paired difference.
"""

import json
import sys
from pathlib import Path

from voxgate.harness import statistics
from voxgate.harness.metrics.word_errors import ErrorCounts, normalizer, word_errors
from voxgate.harness.models.whisper_weights import locate_weights
from voxgate.harness.records.measurement import Missing
from voxgate.harness.scoring.transcription import ENGINES, transcribe_files, transcription_tasks


def transcripts(files: list[Path], language: str, engine: str) -> list[str]:
    weights = locate_weights(None, language=language)
    assert not isinstance(weights, Missing), weights
    tasks = transcription_tasks(files, (weights.path, *weights.more), language, engine)
    heard = {
        file: each
        for task in tasks
        for file, each in zip(task.files, transcribe_files(task), strict=True)
    }
    print(heard[files[0]].judge)
    texts = [heard[file].text for file in files]
    assert not any(isinstance(text, Missing) for text in texts), texts
    return [str(text) for text in texts]


def counted(said: list[str], heard: list[str], language: str) -> list[ErrorCounts]:
    counts = [word_errors(text, each, language) for text, each in zip(said, heard, strict=True)]
    return [each for each in counts if isinstance(each, ErrorCounts)]


def main(folder: Path, language: str = "en") -> None:
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    files, said = [folder / name for name in texts], list(texts.values())
    first, second = (transcripts(files, language, engine) for engine in ENGINES)
    same = sum(
        normalizer(language)(a).split() == normalizer(language)(b).split()
        for a, b in zip(first, second, strict=True)
    )
    ours, theirs = (counted(said, heard, language) for heard in (first, second))
    words = [float(each.reference_words) for each in ours]
    shift = statistics.paired_rate_difference(
        [each.rate for each in ours], [each.rate for each in theirs], words
    )
    print(f"{len(files)} utterances, {sum(words):.0f} words; {same} transcripts the same")
    corpus = [sum(each.errors for each in several) / sum(words) for several in (ours, theirs)]
    print(
        f"wer {corpus[0]:.4f} {corpus[1]:.4f}; difference {shift.point:+.4f} [{shift.low} "
        f"{shift.high}]"
    )
    for name, a, b in zip(texts, first, second, strict=True):
        if normalizer(language)(a).split() != normalizer(language)(b).split():
            print(f"  {name}\n    {a}\n    {b}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
