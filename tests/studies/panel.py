"""
What other takes differ by, and what planted faults do, by the metrics between takes and of voice
quality: the tables of docs/evidence/metrics.md.

    python -m tests.studies.panel FOLDER [MOST]

FOLDER holds takes of the same texts by one voice as TEXT.0.wav, TEXT.1.wav ...: by other seeds, or
at another pace. The first of each is the reference; every fault of `voxgate selftest` that changes
audio is planted in the second, of the first MOST texts (4). A metric between takes is shown as it
is, any other as its change against the first take; both are means over texts. Prints Markdown.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from voxgate.harness.audio.files import read_audio
from voxgate.harness.audio.recording import Recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics import spectral_balance, take_parity, voice_quality
from voxgate.harness.metrics.metric import MetricInput, Need
from voxgate.harness.selftest.fault_effects import SpokenUtterance
from voxgate.harness.selftest.faults import FAULTS

METRICS = (*take_parity.METRICS, *voice_quality.METRICS, *spectral_balance.METRICS)
Values = dict[str, list[np.ndarray]]
"""What is heard -> the values of METRICS, an array for each text."""


def values_of(audio: Recording, first: Recording) -> np.ndarray:
    """Score a recording by each metric; NaN where there is no value."""
    found = [metric.score(MetricInput(audio=audio, reference=first)) for metric in METRICS]
    return np.array([value if isinstance(value, float) else np.nan for value in found])


def heard(folder: Path, text: str) -> Iterator[tuple[str, Recording]]:
    """Yield the takes of a text but the first, and the second with each fault planted."""
    for path in sorted(folder.glob(f"{text}.[1-9].wav")):
        yield f"take {path.name.split('.')[-2]}", Recording(*read_audio(path))
    audio, rate_hz = read_audio(folder / f"{text}.1.wav")
    for fault in FAULTS:
        try:
            speech = SpokenUtterance(audio=audio, rate_hz=rate_hz)
            changed = fault.change(speech) if fault.change is not None else None
        except HarnessError as error:
            print(f"{fault.name}: {error}", file=sys.stderr)
            continue
        if changed is not None:
            yield f"{fault.name}, {fault.strength}", Recording(changed, rate_hz)


def measured(folder: Path, most: int) -> Values:
    """Score all that is heard of the first `most` texts."""
    texts = sorted({path.name.split(".")[0] for path in folder.glob("*.0.wav")})
    found: Values = {}
    for text in texts[:most]:
        first = Recording(*read_audio(folder / f"{text}.0.wav"))
        own = values_of(first, first)
        for name, audio in heard(folder, text):
            found.setdefault(name, []).append(values_of(audio, first) - own)
    return found


def table(found: Mapping[str, list[np.ndarray]]) -> Iterator[str]:
    """Lay the means out: a row for each sound, those between takes first."""
    names = [f"`{each.metric.name}`" for each in METRICS]
    assert METRICS[0].need is Need.TAKE
    yield f"| heard | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    for name, rows in found.items():
        means = np.array(rows).mean(axis=0)
        yield f"| {name} | {' | '.join(f'{mean:.3g}' for mean in means)} |"


if __name__ == "__main__":
    print("\n".join(table(measured(Path(sys.argv[1]), int((*sys.argv, "4")[2])))))
