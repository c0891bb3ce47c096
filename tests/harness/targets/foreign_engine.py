"""
An engine in an environment of its own, for tests: a package `mytts` beside a numpy and a torch that
voxgate could not use.
"""

import shutil
import subprocess
import sys
from pathlib import Path

BENCH = '''"""How voxgate calls mytts: the names of voxgate are there in either environment."""
print("mytts is imported: a line on standard output")
import array, math, os, signal, sys, time
from voxgate import HarnessError, OptionCheck, Target
DEFAULTS = {"steps": 8, "audio_s": 0.1, "seed": 0, "fault": "none", "device": "cpu", "threads": 1, "claim": 0.25}

class Virtual:
    now = 0.0
    def seconds(self): return self.now
    def process_age_s(self): return self.now

class Engine(Target):
    sample_rate_hz = 16000
    @classmethod
    def check_options(cls, pipeline, options):
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise HarnessError("mytts has no option " + ", ".join(unknown))
    def load(self, cell, defaults):
        self.asked = cell.options
        self.options = {**DEFAULTS, **defaults, **cell.options}
        self.count = 0
        if self.options["fault"] == "refuse":
            raise HarnessError("mytts refuses this")
        self.passing(0.5)
    def passing(self, duration_s): time.sleep(duration_s / 100)
    def effective(self): return self.options
    def wave(self, request, part):
        size = int(self.options["audio_s"] * 16000) // 2
        pitch = len(request.text) + self.options["seed"] + part
        return array.array("f", [0.3 * math.sin(0.01 * pitch * k) for k in range(size)])
    def synthesize(self, request, watch):
        print("speaking " + request.id)
        os.write(1, b"a line past Python's own standard output\\n")
        fault = self.options["fault"]
        if fault == "raise": raise RuntimeError("no voice today")
        if fault == "die": os.kill(os.getpid(), signal.SIGKILL)
        if fault == "exit":
            print("the model file is broken", file=sys.stderr)
            os._exit(3)
        if fault == "hang": time.sleep(600)
        for part in range(2):
            with watch("acoustic"): self.passing(0.3)
            with watch("vocoder"): self.passing(0.1)
            wave = self.wave(request, part)
            if fault == "nan": wave[0] = math.nan
            yield [list(wave)] if fault == "shape" else wave
        self.count += 1
        self.chunk_boundaries_s = (self.options["audio_s"] / 2,)
    def settled(self): return self.count > 1
    def observe(self, request):
        return [OptionCheck(option=n, requested=a, observed=str(a), in_effect=True, reason="seen") for n, a in self.asked.items()]
    def isolated_stages(self, request, watch):
        from voxgate.harness.targets.protocol import IsolatedStage
        from voxgate.harness.records.run import StageWork
        for _ in self.synthesize(request, watch): pass
        return {"acoustic": IsolatedStage(run=lambda: self.passing(0.2), work=StageWork(calls=2, rows=1, frames=5))}

class Scripted(Engine):
    """Tells its own time, so that both ways of running it leave the same numbers."""
    def __init__(self): self.clock = Virtual()
    def passing(self, duration_s): self.clock.now += duration_s

class Advancing(Scripted):
    def __init__(self):
        super().__init__()
        self.clock.advance = self.passing

class Marked(Scripted):
    """Adds a watermark, claims the time of a stage, and tells that it cut the text short."""
    def synthesize(self, request, watch):
        self.unmarked = array.array("f")
        for chunk in super().synthesize(request, watch):
            self.unmarked += chunk
            yield array.array("f", [sample + 0.001 for sample in chunk])
        self.passing(0.3)
        self.notices = [("cut", request.text)]
        self.claimed_stages_s = {"watermark": self.options["claim"]}
        if self.options["fault"] == "short": self.unmarked.pop()

class Lacking:
    sample_rate_hz = 16000
    def load(self, cell, defaults): pass
'''  # noqa: E501


def install(packages: Path) -> None:
    """Write the package, and libraries of other versions, into a folder of packages."""
    files = {
        "mytts/__init__.py": "",
        "mytts/bench.py": BENCH,
        "numpy/__init__.py": 'raise ImportError("numpy of another world")\n',
        "torch/__init__.py": '__version__ = "0.1"\n',
        "numpy-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n",
        "torch-0.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 0.2\n",
    }
    for name, text in files.items():
        (packages / name).parent.mkdir(exist_ok=True)
        (packages / name).write_text(text)


def make_environment(folder: Path, python: str = sys.executable) -> Path:
    """Make a virtual environment with the engine; return its folder of packages."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = (folder / "lib").glob("python3*/site-packages")
    install(packages)
    return packages


def interpreter(version: str) -> str | None:
    """Find a Python of a version on PATH or among pyenv's; None where there is none."""
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(kept[-1]) if kept else shutil.which(f"python{version}")
