"""
Audio files to transcripts, in child processes that hold the judge, so that the parent never imports torch.

Knows files, batches and the children; the decoding is `asr.py`'s. Results come batch by batch and can be kept as they come.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.audio_io import Audio, read_audio
from harness.errors import HarnessError
from harness.measurement import Missing
from harness.metrics import asr
from harness.metrics.isolation import Crashed, run_isolated

FILES_PER_TASK = 32  # two ASR batches: little enough to lose in a crash, enough to fill the batches
MOST_LISTENERS = 4  # each holds torch, the model and a batch: about 700 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenTask:
    """Files to transcribe with the weights in the file `weights`."""

    files: tuple[Path, ...]
    weights: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What the judge named `judge` heard; an empty text is an answer, Missing is a file nobody could listen to."""

    text: str | Missing
    judge: str


def listen(files: Sequence[Path], weights: Path, workers: int) -> Iterator[tuple[Path, Transcript]]:
    """
    Yields each file once with its transcript. Raises HarnessError when the weights are not Whisper's.

    Each child works through many tasks with one loaded model, on one thread: several children share the cores better than
    one with several threads, which wait for each other whenever another program runs (five times slower, measured), and
    the sums inside do not depend on the number of cores. If a child dies, its files are Missing and a new one goes on.
    """
    ordered = sorted(files, key=lambda path: path.stat().st_size if path.is_file() else 0)  # like lengths share a batch
    groups = [tuple(ordered[i : i + FILES_PER_TASK]) for i in range(0, len(ordered), FILES_PER_TASK)]
    tasks = [ListenTask(files=group, weights=weights) for group in groups]
    for index, result in run_isolated(transcribe_files, tasks, workers=min(workers, MOST_LISTENERS)):
        lost = Transcript(text=Missing("the speech recogniser's process died; is there memory for it?"), judge="")
        answers = [lost] * len(groups[index]) if isinstance(result, Crashed) else result
        yield from zip(groups[index], answers, strict=True)


def transcribe_files(task: ListenTask) -> list[Transcript]:
    """In the child: one transcript for each file."""
    import torch

    torch.set_num_threads(1)
    judge = _judge(task.weights)
    heard = [_readable(path) for path in task.files]
    texts = iter(judge.transcribe([each for each in heard if not isinstance(each, Missing)]))
    return [Transcript(text=each if isinstance(each, Missing) else next(texts), judge=judge.name) for each in heard]


@functools.cache
def _judge(weights: Path) -> asr.Judge:
    return asr.build_judge(weights)


def _readable(path: Path) -> Audio | Missing:
    """Mono at the judge's rate."""
    import soxr

    try:
        audio, rate_hz = read_audio(path)
    except HarnessError as error:
        return Missing(str(error))
    if not np.isfinite(audio).all():
        return Missing("the audio holds NaN or infinity")
    if rate_hz == asr.RATE_HZ or not audio.size:
        return audio
    return np.asarray(soxr.resample(audio, rate_hz, asr.RATE_HZ, quality="HQ"), dtype=np.float32)
