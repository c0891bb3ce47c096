"""
Which planted faults do predicted opinions see, and what do they cost? The tables of
docs/evidence/predicted-mos.md.

    python -m tests.studies.predicted_mos COUNT FOLDER [FOLDER ...] [--only NAME]

Each FOLDER holds recordings of one voice; the first COUNT of each (in the order of their names, 2
to 8 s long) get every fault of `selftest/faults.py` that changes audio, at its greatest strength,
and changes that nobody hears. A change is seen where the mean falls by more than 0.1 and the paired
95 % interval over the recordings excludes zero. ViSQOL, which is no metric of voxgate, is tried
where `visqol-python` can be imported, against the clean recording. Prints Markdown.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.registry import entry
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.selftest import fault_effects
from voxgate.harness.selftest.fault_effects import Change, SpokenUtterance
from voxgate.harness.selftest.faults import FAULTS

MARGIN = 0.1
SHORTEST_S, LONGEST_S = 2.0, 8.0
NAMES = ("distillmos", "dnsmos_ovrl", "dnsmos_p808")
Score = Callable[[Recording, Recording], Value]
"""(audio, the clean recording) -> value."""


def scorers() -> dict[str, Score]:
    """Return the predictors that can be had here."""
    found = {name: _by_registry(name) for name in NAMES}
    try:
        from visqol import VisqolApi
    except ImportError:
        return found
    api = VisqolApi()
    api.create(mode="speech", use_lattice_model=False)
    return {**found, "ViSQOL": _by_visqol(api)}


def _by_registry(name: str) -> Score:
    source = entry(name).source
    assert source is not None
    return lambda audio, clean: source.score(MetricInput(audio=audio))


def _by_visqol(api: object) -> Score:
    def score(audio: Recording, clean: Recording) -> Value:
        try:
            result = api.measure_from_arrays(clean.at(16_000), audio.at(16_000), 16_000)
        except Exception as error:  # whatever it does with odd audio
            return Missing(f"{type(error).__name__}: {error}")
        value = float(result.moslqo)
        return value if np.isfinite(value) else Missing("no finite number")

    return score


def gain(db: float) -> Change:
    return lambda speech: np.asarray(speech.audio * 10 ** (db / 20), dtype=np.float32)


HARMLESS: Mapping[str, Change] = {
    "level +0.3 dB": gain(0.3),
    "level -6 dB": gain(-6.0),
    "soxr to 48 kHz and back": fault_effects.round_trip(48_000),
    "0.1 s of silence before": fault_effects.silence_before(0.1),
}


@dataclass(slots=True, kw_only=True)
class Row:
    """The shifts of one change: metric -> one number per recording."""

    name: str
    harmless: bool
    shifts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    gaps: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def changes() -> Iterator[tuple[str, bool, Change]]:
    for name, change in HARMLESS.items():
        yield name, True, change
    strongest = {fault.name: fault for fault in FAULTS if not fault.harmless}
    for fault in (*strongest.values(), *(each for each in FAULTS if each.harmless)):
        if fault.change is not None:
            yield f"{fault.name}, {fault.strength}", fault.harmless, fault.change


def speeches(folders: Sequence[Path], count: int) -> list[SpokenUtterance]:
    """Read the recordings; the voice that each imitates is another one of its folder."""
    found = []
    for folder in folders:
        files = (read_recording(path) for path in sorted(folder.glob("*.wav")))
        fit = []
        for each in files:
            if SHORTEST_S <= each.duration_s <= LONGEST_S:
                fit.append(each)
            if len(fit) > count:
                break
        assert len(fit) > count, f"{folder} holds fewer than {count + 1} fit recordings"
        voice = fit[count].samples.astype(np.float32)
        found += [
            SpokenUtterance(
                audio=each.samples.astype(np.float32),
                rate_hz=each.rate_hz,
                text="Is it so?",
                joins_s=(each.duration_s / 2,),
                voice=voice,
                other=voice,
            )
            for each in fit[:count]
        ]
    return found


def main(count: int, folders: Sequence[Path], only: str) -> None:
    """Plant, score and print, after each recording anew."""
    heard = speeches(folders, count)
    scores = {name: score for name, score in scorers().items() if only in ("", name)}
    rows = {name: Row(name=name, harmless=harmless) for name, harmless, _ in changes()}
    spent, audio_s = dict.fromkeys(scores, 0.0), 0.0
    for speech in heard:
        clean = Recording(speech.audio, speech.rate_hz)
        before = {name: score(clean, clean) for name, score in scores.items()}  # loads the models
        for name, _, change in changes():
            audio = change(speech)
            if audio is None:
                continue
            changed = Recording(audio, speech.rate_hz)
            audio_s += changed.duration_s
            for metric, score in scores.items():
                began = time.perf_counter()
                value = score(changed, clean)
                spent[metric] += time.perf_counter() - began
                base = before[metric]
                if isinstance(value, Missing) or isinstance(base, Missing):
                    rows[name].gaps[metric] += 1
                else:
                    rows[name].shifts[metric].append(value - base)
        print_tables(rows, list(scores), {name: spent[name] / audio_s for name in scores})


def seen(shifts: Sequence[float]) -> bool:
    """Whether the mean falls by more than the margin, with an interval that excludes zero."""
    if len(shifts) < 3:
        return False
    found = statistics.paired_bootstrap(shifts)
    return found.point < -MARGIN and found.high is not None and found.high < 0.0


def print_tables(rows: Mapping[str, Row], names: Sequence[str], cost: Mapping[str, float]) -> None:
    """Print the table of changes, and that of the sums."""
    print(f"\n**bold**: seen at {MARGIN}.\n")
    line(["change", *(f"`{name}`" for name in names)])
    line(["---", *["---:"] * len(names)])
    for row in rows.values():
        line([f"{row.name}{' (harmless)' if row.harmless else ''}", *(cell(row, n) for n in names)])
    print()
    line(["", *(f"`{name}`" for name in names)])
    line(["---", *["---:"] * len(names)])
    for what, harmless in (("faults seen", False), ("harmless changes seen", True)):
        of = [row for row in rows.values() if row.harmless is harmless]
        line([what, *(f"{sum(seen(r.shifts[n]) for r in of)} of {len(of)}" for n in names)])
    largest = [
        min(float(np.mean(r.shifts[n])) for r in rows.values() if r.harmless and r.shifts[n])
        for n in names
    ]
    line(["greatest fall by a harmless change", *(f"{each:+.3f}" for each in largest)])
    line(["s per s of audio, one thread", *(f"{cost[name]:.3f}" for name in names)])


def cell(row: Row, name: str) -> str:
    shifts = row.shifts[name]
    if not shifts:
        return "-"
    text = f"{float(np.mean(shifts)):+.2f}"
    return f"**{text}**" if seen(shifts) else text


def line(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    main(asked.count, asked.folders, asked.only)
