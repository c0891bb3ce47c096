"""
How long do the walks of docs/first-hour.md take? Runs each of them several times, with the real
recogniser, and writes docs/evidence/first-hour.md.

    python -m tests.studies.first_hour [--times 3] [--piper VENV]

Packages are installed beforehand: a download is the network's time, not voxgate's.
"""

import argparse
import datetime
import os
import re
import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.ci import test_first_hour as walks
from tests.ci.fake_runner import ROOT
from tests.ci.test_docs import Place
from voxgate.harness.machine.identity import machine

OUT = ROOT / "docs" / "evidence" / "first-hour.md"
NAMES = {1: "an engine in Python: piper", 2: "a command line: flite", 3: "a server: voxgate's own"}
LIMIT_MIN = 15
STEPS = ("init", "first check", "pull request")
MARK = "@@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One walk: seconds of each step, and of everything from the first command to the last."""

    steps_s: dict[str, float]
    total_s: float
    load: float


def marked(script: str) -> str:
    """Return the commands of a walk with the time before and after each one of voxgate's."""
    lines = []
    for line in script.splitlines():
        if not line.startswith("voxgate "):
            lines.append(line)
            continue
        verb = shlex.split(line)[1]
        lines += ["begin=$(date +%s.%N)", line, f'echo "{MARK} {verb} $begin $(date +%s.%N)"']
    ends = [f'echo "{MARK} start $(date +%s.%N) 0"', *lines, f'echo "{MARK} end $(date +%s.%N) 0"']
    return "\n".join(ends) + "\n"


def read_marks(said: str) -> dict[str, list[tuple[float, float]]]:
    """Return the times of each verb, in order."""
    found: dict[str, list[tuple[float, float]]] = {}
    for verb, begin, end in re.findall(rf"^{MARK} (\w+) ([\d.]+) ([\d.]+)$", said, re.MULTILINE):
        found.setdefault(verb, []).append((float(begin), float(end)))
    return found


def walked(number: int, bin_folder: Path) -> Timed:
    """Walk once, in an empty folder. Raises AssertionError where it does not end red."""
    lent = walks.lent_packages(bin_folder.parent) if number == 1 else ""
    script = marked(walks.walk(number, lent))
    script = walks.with_a_free_port(script) if number == 3 else script
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as top:
        place = Place(folder=Path(top), bin=bin_folder)
        said = walks.run(place, script)
        (project,) = (path for path in Path(top).iterdir() if path.is_dir())
        walks.judge(said, project)
    marks = read_marks(said)
    spans = [*marks["check"], *marks.get("ab", [])]
    times = [end - begin for begin, end in (*marks["init"], spans[0], spans[-1])]
    total_s = marks["end"][0][0] - marks["start"][0][0]
    return Timed(steps_s=dict(zip(STEPS, times, strict=True)), total_s=total_s, load=load)


def spread(values: Sequence[float]) -> str:
    """Return the median with the smallest and the largest value."""
    return f"{statistics.median(values):.0f} [{min(values):.0f} {max(values):.0f}]"


def page(found: dict[int, list[Timed]]) -> Iterator[str]:
    """Yield the lines of the page."""
    here, times = machine(), len(next(iter(found.values())))
    loads = [each.load for every in found.values() for each in every]
    yield "# How long the first hour takes"
    yield ""
    yield "```sh\npython -m tests.studies.first_hour\n```"
    yield ""
    yield (
        f"Machine: {here['cores']} CPUs of an {here['cpu_model']}, {here['ram_gib']} GiB, "
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}.  "
    )
    yield (
        "Other work ran beside it: a load of "
        f"{statistics.median(loads):.1f} [{min(loads):.1f} {max(loads):.1f}] at each start.  "
    )
    yield (
        f"Every command of [the first hour](../first-hour.md), {times} times from an empty folder, "
        "with the real recogniser."
    )
    yield "Seconds: the median with the smallest and the largest."
    yield "Packages were installed beforehand."
    yield ""
    yield f"| walk | own lines | {' | '.join(f'{step}, s' for step in STEPS)} | all, s | limit, s |"
    yield f"| --- |{' ---: |' * (len(STEPS) + 3)}"
    for number, every in found.items():
        lines = len(walks.own_lines(walks.walk(number)))
        steps = [spread([each.steps_s[step] for each in every]) for step in STEPS]
        total = spread([each.total_s for each in every])
        cells = (NAMES[number], str(lines), *steps, total, str(60 * LIMIT_MIN))
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "*own lines*: of the files that the page has you write, without blank lines and "
        "`.gitignore`."
    )
    yield "*first check*: three fresh processes of eight sentences, scored, without a baseline."
    yield (
        "*pull request*: until it is red; base and head in turns, or for the server a second check."
    )


def main() -> int:
    """Walk, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--piper", help="a virtual environment that holds piper-tts and its voice")
    asked = parser.parse_args()
    if asked.piper:
        os.environ[walks.LENT] = asked.piper
    if not walks.has_piper():
        sys.exit("piper is not installed; name an environment that has it, by --piper")
    found: dict[int, list[Timed]] = {number: [] for number in walks.walks()}
    with tempfile.TemporaryDirectory() as top:
        bin_folder = walks.programs(Path(top) / "venv", ears=True)
        for _ in range(asked.times):  # in turns, so that a busy hour meets all of them alike
            for number in found:
                found[number].append(walked(number, bin_folder))
                print(number, found[number][-1], file=sys.stderr)
            OUT.write_text("\n".join(page(found)) + "\n")
    late = [n for n, every in found.items() if max(t.total_s for t in every) > 60 * LIMIT_MIN]
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
