"""
How much do two equal processes differ on this machine, and what does malloc's set-up change about
it?

    python tests/studies/noise.py FOLDER [--cell nfe_steps-8] [--rounds 4] [--iterations 8]
    [--sides 3]

Measures the embedded voice with the profile `cpu-gate`: in every round fresh processes of every
variant, all alive together, whose iterations take turns. Two processes of the same variant and
round are an A/A pair. Prints, per variant, the spread of the pairs (root of the mean square of the
median log-ratio of the same request), and the level. Then the same from the first one, two, four
... passes through the workload alone: what measuring longer buys. A folder that exists is only
read.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from voxgate.harness.machine.interference import interference_causes
from voxgate.harness.machine.profiles import MALLOC, get_profile
from voxgate.harness.records.run import Phase, ProcessRecord
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.make_header import make_header
from voxgate.harness.runner.round import Variant
from voxgate.harness.runner.runner import run_sides
from voxgate.harness.runner.worker_process import PythonEnv
from voxgate.harness.suite.suite import load_suite

TUNABLES = "GLIBC_TUNABLES"
VARIANTS = {
    "keep and huge pages (cpu-gate)": dict(MALLOC),
    "huge pages": {TUNABLES: "glibc.malloc.hugetlb=1"},
    "keep": {TUNABLES: MALLOC[TUNABLES].replace("glibc.malloc.hugetlb=1:", "")},
    "as it comes": {TUNABLES: ""},
}
Times = Mapping[tuple[str, int], float]
"""(request, lap) -> log of the seconds."""


def measure(folder: Path, cell: str, rounds: int, iterations: int, sides: int) -> None:
    """Measure `sides` equal sides of every variant."""
    suite, profile = load_suite("smoke"), get_profile("cpu-gate")
    cells = [each for each in suite.expand().cells if each.slug == cell]
    header = make_header(
        suite, cells, profile, repeats=rounds, iterations=iterations, command="tests.studies.noise"
    )
    names = [(number, variant) for variant in range(len(VARIANTS)) for number in range(sides)]
    launches = [PythonEnv(env=list(VARIANTS.values())[variant]) for _, variant in names]
    run_sides(
        [
            Variant(header=header, folder=folder / f"{variant}-{number}", launch=launch)
            for (number, variant), launch in zip(names, launches, strict=True)
        ],
        profile,
    )


def times_of(record: ProcessRecord) -> Times:
    """Read one process's measured iterations; disturbed ones are left out."""
    laps: dict[str, int] = defaultdict(int)
    found = {}
    for sample in record.iterations:
        if sample.phase is Phase.MEASURED:
            if not interference_causes(sample):
                found[sample.request, laps[sample.request]] = float(np.log(sample.wall_s))
            laps[sample.request] += 1
    return found


def ratios(processes: Sequence[Times], laps: int) -> list[float]:
    """Give the median log-ratio of every two processes over their first `laps` passes."""
    shared = [
        [one[place] - two[place] for place in one if place in two and place[1] < laps]
        for one, two in itertools.combinations(processes, 2)
    ]
    return [float(np.median(each)) for each in shared if each]


def report(folder: Path) -> None:
    """Print both tables."""
    groups: dict[tuple[int, int], list[Times]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        for record in run_folder.load_run(path).processes:
            groups[int(path.name.partition("-")[0]), record.repeat].append(times_of(record))
    longest = max(lap for group in groups.values() for times in group for _, lap in times) + 1
    steps = sorted(
        {2**power for power in range(longest.bit_length()) if 2**power < longest} | {longest}
    )
    print(f"| malloc | level | pairs | {' | '.join(f'sd, {laps} passes' for laps in steps)} |")
    print(f"| --- | ---: | ---: |{' ---: |' * len(steps)}")
    for variant, name in enumerate(VARIANTS):
        rounds = [group for (which, _), group in groups.items() if which == variant]
        if not rounds:
            continue
        level_s = np.exp(
            np.mean([value for group in rounds for times in group for value in times.values()])
        )
        spreads = [[ratio for group in rounds for ratio in ratios(group, laps)] for laps in steps]
        shown = " | ".join(f"{np.sqrt(np.mean(np.square(each))) * 100:.2f} %" for each in spreads)
        print(f"| {name} | {level_s * 1000:.1f} ms | {len(spreads[-1])} | {shown} |")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cell", default="nfe_steps-8")
    for name, number in (("rounds", 4), ("iterations", 8), ("sides", 3)):
        parser.add_argument(f"--{name}", type=int, default=number)
    asked = parser.parse_args()
    if not asked.folder.exists():
        measure(asked.folder, asked.cell, asked.rounds, asked.iterations, asked.sides)
    report(asked.folder)


if __name__ == "__main__":
    main()
