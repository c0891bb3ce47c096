"""
Values that others have published for inputs that anybody can make, and what the panel gives for
them.

Where a standard or a package's own test says what must come out, no second implementation is
needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.registry import entry
from voxgate.harness.records.measurement import Value

TARGET, PREDICTION = (3.0, -0.5, 2.0, 7.0), (2.5, 0.0, 2.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """
    `value` is what `source` says that `metric` gives for the input that `what` describes, to
    `digits` decimals.
    """

    metric: str
    what: str
    source: str
    value: float
    digits: int
    inputs: Callable[[], MetricInput]

    def ours(self) -> Value:
        """Give what the panel says."""
        source = entry(self.metric).source
        assert source is not None, f"{self.metric} is no metric of audio"
        return source.score(self.inputs())


def _vectors() -> MetricInput:
    """Repeated to 4,000 frames, which changes no ratio, since alignment needs 0.1 s."""
    target, prediction = (np.tile(np.array(each), 1_000) for each in (TARGET, PREDICTION))
    return MetricInput(audio=Recording(prediction, 16_000), reference=Recording(target, 16_000))


def _tone(level_db: float) -> Callable[[], MetricInput]:
    """997 Hz for 20 s at 48 kHz, at a peak of `level_db`."""
    frames = 10 ** (level_db / 20) * np.sin(2 * np.pi * 997 * np.arange(20 * 48_000) / 48_000)
    return lambda: MetricInput(audio=Recording(frames, 48_000))


PUBLISHED = (
    Published(
        metric="snr",
        what="target 3, -0.5, 2, 7; heard 2.5, 0, 2, 8",
        source="torchmetrics' documentation",
        value=16.1805,
        digits=4,
        inputs=_vectors,
    ),
    Published(
        metric="si_sdr",
        what="the same",
        source="torchmetrics' documentation",
        value=18.4030,
        digits=4,
        inputs=_vectors,
    ),
    Published(
        metric="loudness",
        what="a tone of 997 Hz at full scale in one channel",
        source="ITU-R BS.1770-4, annex 1",
        value=-3.01,
        digits=2,
        inputs=_tone(0.0),
    ),
    Published(
        metric="loudness",
        what="the same tone at a peak of -20 dB",
        source="EBU Tech 3341, by the linearity that it asks for (-23.0 LUFS in two channels at "
        "-23 dBFS)",
        value=-23.01,
        digits=2,
        inputs=_tone(-20.0),
    ),
)


def of_pesq(clone: Path) -> tuple[Published, ...]:
    """
    Give what the package `pesq` and Corrigendum 2 are known to say of the package's own recordings,
    if there is a clone.
    """
    clean, noisy = (clone / "audio" / f"{name}.wav" for name in ("speech", "speech_bab_0dB"))
    if not clean.is_file():
        return ()

    def pair() -> MetricInput:
        return MetricInput(audio=read_recording(noisy), reference=read_recording(clean))

    what = "speech.wav and speech_bab_0dB.wav of github.com/ludlows/PESQ"
    plain = Published(
        metric="pesq",
        what=what,
        source="its own test",
        value=1.0832337141036987,
        digits=14,
        inputs=pair,
    )
    return (
        plain,
        replace(plain, metric="pesq_c2", source="`pesqc2`, measured", value=1.5128, digits=4),
    )


def table(pesq_clone: Path) -> str:
    """Give them as Markdown."""
    known = (*PUBLISHED, *of_pesq(pesq_clone))
    lines = [
        f"| `{each.metric}` | {each.what} | {each.source} | {each.value} | {_shown(each)} |"
        for each in known
    ]
    return "\n".join(
        ["| metric | input | published by | value | ours |", "|---|---|---|---:|---:|", *lines]
    )


def _shown(each: Published) -> str:
    value = each.ours()
    return f"{value:.{each.digits + 2}f}" if isinstance(value, float) else value.reason
