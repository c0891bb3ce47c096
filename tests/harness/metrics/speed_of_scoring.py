"""
How long the panel takes through voxgate's scorer, and how long the same files take one by one with
the reference packages.

    python tests/harness/metrics/speed_of_scoring.py FOLDER [ROUNDS [FILES]]

The first FILES recordings of the accepted audio of suite nfe_sweep, of about 3 s each, held against
noisy copies. Both sides in fresh processes, in turns; ours with an empty cache and 2 workers,
theirs in the environment of agreement.py. Prints Markdown.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))  # as a script: `tests` is no installed package

from tests.harness.metrics import throwaway  # noqa: E402
from tests.harness.metrics.agreement import score, write_whisper  # noqa: E402
from tests.harness.metrics.material import Pair, Source, make_pairs, voice_sources  # noqa: E402
from voxgate.harness.audio.recording import read_recording  # noqa: E402
from voxgate.harness.metrics.registry import entry, metric, select_metrics  # noqa: E402

ONE_BY_ONE = Path(__file__).with_name("one_by_one.py")
ROUNDS = 3
FILES = 15
"""That are scored; one more is for loading."""
FULL, SHARED = "voxgate, the full panel", "voxgate, only what the packages have"
PLAIN = "one by one with the reference packages"
Values = Sequence[Mapping[str, Any]]


def main(folder: Path, rounds: int = ROUNDS, most: int = FILES) -> None:
    """Do both sides in turns, and print."""
    environment = throwaway.make(folder)[0]
    write_whisper(folder / "tiny.en.pt")
    first, *pairs = make_pairs(sources()[: most + 1], folder / "speed", damages=("noise 30 dB",))
    speech_s = sum(read_recording(Path(pair.candidate)).duration_s for pair in pairs)
    plain: list[dict[str, Any]] = []
    ours: dict[str, list[float]] = {FULL: [], SHARED: []}
    values: Values = ()
    for _ in range(rounds):
        plain.append(one_by_one(environment.python, [first, *pairs], folder))
        names = tuple(plain[0]["values"][0])
        for title, metrics in ((FULL, full()), (SHARED, names)):
            seconds, values = through_voxgate(pairs, metrics, folder)
            ours[title].append(seconds)
    text = "\n".join(
        [*_table(speech_s, len(pairs), ours, plain), *_values(values, plain[-1]["values"])]
    )
    (folder / "speed.md").write_text(text)
    print(text)


def sources() -> tuple[Source, ...]:
    """Give the recordings; the first is for loading."""
    return voice_sources("nfe_sweep", "everyday-short")


def full() -> tuple[str, ...]:
    """Name what is scored of any audio; `golden_` twins would be the same files once more."""
    return tuple(
        each.name
        for each in select_metrics(None, ())
        if not entry(each.name).golden and entry(each.name).family != "speed"
    )


def through_voxgate(
    pairs: Sequence[Pair], metrics: Sequence[str], folder: Path
) -> tuple[float, Values]:
    """
    Score in a fresh process with an empty cache; give the seconds from its start to its end, and
    the values.
    """
    given, out = folder / "ours-given.json", folder / "ours.json"
    given.write_text(
        json.dumps({"pairs": [asdict(pair) for pair in pairs], "metrics": list(metrics)})
    )
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, __file__, "--score", str(given), str(out)], check=True, cwd=ROOT
    )
    seconds = time.perf_counter() - begun
    found: Values = json.loads(out.read_text())
    return seconds, found


def score_given(given: Path, out: Path) -> None:
    """In the fresh process."""
    asked = json.loads(given.read_text())
    pairs = [Pair(**each) for each in asked["pairs"]]
    with tempfile.TemporaryDirectory() as cache:
        values, _ = score(pairs, Path(cache), asked["metrics"])
    rows = [
        {
            name: value[at] if isinstance(value[at], float) else None
            for name, value in values.items()
        }
        for at in range(len(pairs))
    ]
    out.write_text(json.dumps(rows))


def one_by_one(python: Path, pairs: Sequence[Pair], folder: Path) -> dict[str, Any]:
    """
    Let the plain script do it in a fresh process; what it wrote, and the seconds of the whole
    process.
    """
    given, out = folder / "plain-given.json", folder / "plain.json"
    given.write_text(json.dumps([asdict(pair) for pair in pairs]))
    begun = time.perf_counter()
    subprocess.run([str(python), str(ONE_BY_ONE), str(given), str(out)], check=True, cwd=folder)
    found: dict[str, Any] = json.loads(out.read_text())
    return {**found, "process_s": time.perf_counter() - begun}


def _table(
    speech_s: float,
    files: int,
    ours: Mapping[str, Sequence[float]],
    plain: Sequence[Mapping[str, Any]],
) -> list[str]:
    theirs = {
        PLAIN: [each["process_s"] for each in plain],
        "the same without starting and loading": [each["scoring_s"] for each in plain],
    }
    shown = (
        f"{files} files, {speech_s:.0f} s of speech, {len(plain)} rounds in turns, "
        f"{os.cpu_count()} CPUs."
    )
    head = f"{shown} Seconds: median [least most]."
    lines = [
        _row(name, seconds, speech_s, ours[FULL]) for name, seconds in {**ours, **theirs}.items()
    ]
    return [
        head,
        "",
        "| | metrics | seconds | x real time | times the full panel |",
        "|---|---:|---:|---:|---:|",
        *lines,
        "",
    ]


def _row(name: str, seconds: Sequence[float], speech_s: float, full_panel: Sequence[float]) -> str:
    count = len(full()) if name == FULL else len(_plain_names())
    middle = float(np.median(seconds))
    ratios = [a / b for a, b in zip(seconds, full_panel, strict=True)]
    taken, times = (
        f"{np.median(each):.2f} [{min(each):.2f} {max(each):.2f}]" for each in (seconds, ratios)
    )
    return f"| {name} | {count} | {taken} | {speech_s / middle:.1f} | {times} |"


def _plain_names() -> tuple[str, ...]:
    text = ONE_BY_ONE.read_text()
    return tuple(name for name in full() if f'("{name}", ' in text)


def _values(ours: Values, theirs: Values) -> list[str]:
    """The largest difference of every value that both have."""
    lines = []
    for name in theirs[0]:
        both = [(a.get(name), b[name]) for a, b in zip(ours, theirs, strict=True)]
        numbers = [(a, b) for a, b in both if a is not None and not isinstance(b, str)]
        apart = max((abs(a - b) for a, b in numbers), default=float("nan"))
        lines.append(f"| `{name}` | {len(numbers)} | {apart:.2g} | {metric(name).unit} |")
    return ["| metric | files | largest difference | unit |", "|---|---:|---:|---|", *lines, ""]


if __name__ == "__main__":
    if sys.argv[1] == "--score":
        score_given(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]).resolve(), *map(int, sys.argv[2:]))
