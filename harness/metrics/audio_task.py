"""
One score of one audio file, as a task that can be sent to a child process.

Knows how to read the files and which function answers to which metric's name; computes nothing itself. Every foreseeable
failure comes back as Missing, so that one bad file costs one value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.audio_io import Audio, read_audio
from harness.errors import HarnessError
from harness.measurement import Missing, Value
from harness.metrics.clicks import clicks_per_s
from harness.metrics.intrinsic import duration_s
from harness.metrics.parity import PARITY

INTRINSIC: dict[str, Callable[[Audio, int], Value]] = {"duration": duration_s, "clicks": clicks_per_s}


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTask:
    """Metric `metric` (a name in PARITY or INTRINSIC) of `audio`; parity metrics need `reference`."""

    metric: str
    audio: Path
    reference: Path | None = None


def compute(task: AudioTask) -> Value:
    """The task's value; Missing when a file cannot be read or the metric cannot be computed."""
    try:
        audio, rate_hz = read_audio(task.audio)
        if task.reference is None:
            return INTRINSIC[task.metric](audio, rate_hz)
        reference, reference_rate_hz = read_audio(task.reference)
    except HarnessError as error:
        return Missing(str(error))
    if reference_rate_hz != rate_hz:
        return Missing(f"sample rates differ: {rate_hz} Hz against {reference_rate_hz} Hz")
    return PARITY[task.metric](reference, audio, rate_hz)
