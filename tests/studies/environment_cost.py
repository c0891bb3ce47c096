"""
What an engine in an environment of its own costs: the pipe, and the times that it reports.

    python -m tests.studies.environment_cost [--rounds 300]

Two engines of pure Python, so that both environments run the same code: one that waits for nothing
and answers with audio that is ready, to show the pipe by itself; one that computes for some
milliseconds, in 20 chunks, measured in this process and over there in turns.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.harness.targets.foreign_engine import make_environment
from voxgate.harness.machine.clock import instant_s
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.runner.engine_side import EngineSide, engine_side
from voxgate.harness.runner.timing import no_garbage_collection

RATE_HZ = 24_000
ENGINES = '''import array, math

class Ready:
    """Audio that is there already: whatever takes time is the way to voxgate."""
    sample_rate_hz = 24000
    def load(self, cell, defaults): self.audio = {}
    def effective(self): return {}
    def synthesize(self, request, watch):
        size = int(float(request.text) * 24000)
        if size not in self.audio: self.audio[size] = array.array("f", [0.1]) * size
        yield self.audio[size]

class Busy(Ready):
    def synthesize(self, request, watch):
        for chunk in range(20):
            with watch("work"):
                audio = array.array("f", [math.sin(0.01 * k) for k in range(2400)])
            yield audio
'''


def main(arguments: list[str]) -> int:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args(arguments).rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages = make_environment(folder / "venv")
        (packages / "cost_engines.py").write_text(ENGINES)
        (folder / "here").mkdir()
        (folder / "here" / "cost_engines.py").write_text(ENGINES)
        sys.path.insert(0, str(folder / "here"))
        show_pipe(folder, rounds)
        show_times(folder, rounds)
    return 0


def engine(folder: Path, name: str, *, there: bool) -> EngineSide:
    """Return a loaded engine, in its environment or in this process."""
    request = Request(id="r1", text="1")
    cell = Cell(
        suite="cost",
        target=f"cost_engines:{name}",
        pipeline="any",
        workload=Workload(name="w", requests=(request,)),
        axes={},
        environment=(str(folder / "venv"),) if there else (),
    )
    launched = {"launch": None, "stderr": folder / "stderr", "cpus": (), "listen": False}
    made = engine_side(cell, {}, **launched)  # type: ignore[arg-type]
    made.load(0.0)
    return made


def show_pipe(folder: Path, rounds: int) -> None:
    """Print how long a request takes beyond the time that the engine reports, by its audio."""
    there = engine(folder, "Ready", there=True)
    print("| audio | bytes | beyond the engine's time, 5th percentile | median |")
    print("| --- | --- | --- | --- |")
    lows_s: dict[float, float] = {}
    for audio_s in (0.0001, 1.0, 10.0, 60.0):
        request = Request(id="r1", text=str(audio_s))
        beyond_s = sorted(_beyond_s(there, request) for _ in range(rounds))
        lows_s[audio_s] = beyond_s[int(0.05 * len(beyond_s))]
        figures_us = (lows_s[audio_s] * 1e6, statistics.median(beyond_s) * 1e6)
        size = int(audio_s * RATE_HZ) * 4
        print(f"| {audio_s:g} s | {size:,} | {figures_us[0]:,.0f} us | {figures_us[1]:,.0f} us |")
    there.end()
    rate = 60.0 * RATE_HZ * 4 / (lows_s[60.0] - lows_s[0.0001])
    print(f"\n{rate / 1e6:,.0f} MB/s, conversion to numpy included\n")


def _beyond_s(there: EngineSide, request: Request) -> float:
    with no_garbage_collection():
        start_s = instant_s()
        timing = there.synthesize(request)
        return instant_s() - start_s - timing.wall_s


def show_times(folder: Path, rounds: int) -> None:
    """Print the times of one engine in this process and over there, measured in turns."""
    sides: Mapping[str, EngineSide] = {
        name: engine(folder, "Busy", there=name == "there") for name in ("here", "there")
    }
    request = Request(id="r1", text="1")
    walls_s: dict[str, list[float]] = {name: [] for name in sides}
    firsts_s: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 else list(reversed(sides))
        for name in order:
            with no_garbage_collection():
                timing = sides[name].synthesize(request)
            walls_s[name].append(timing.wall_s)
            firsts_s[name].append(timing.first_audio_s)
    sides["there"].end()
    print("| | latency, median | 5th percentile | first audio, median |")
    print("| --- | --- | --- | --- |")
    for name in sides:
        low_s = sorted(walls_s[name])[int(0.05 * rounds)]
        figures = (statistics.median(walls_s[name]), low_s, statistics.median(firsts_s[name]))
        print(f"| {name} | " + " | ".join(f"{each * 1e3:.3f} ms" for each in figures) + " |")
    ratios = [there / here for here, there in zip(walls_s["here"], walls_s["there"], strict=True)]
    print(f"\nthere / here, median of {rounds} pairs: {statistics.median(ratios):.4f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
