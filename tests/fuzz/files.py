"""
Files that a project writes by hand: baselines as they are reviewed, policy, budgets, workloads,
pyproject.toml.
"""

import json
import random
from pathlib import Path

from tests.fuzz import mutate
from tests.fuzz.driver import ROOT
from tests.harness.fake_runs import NAMES
from tests.harness.fuzz_baseline import damaged
from tests.harness.kill_accept import Trial
from tests.harness.report.site.making import BUDGETS
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.budget import load_budgets
from voxgate.harness.judging.baseline_file import parse
from voxgate.harness.judging.policy import DEFAULT, load_imported, load_policy
from voxgate.harness.revisions import build_recipe, environments, requirements
from voxgate.harness.suite.workload import load_workload

IMPORTED = """
[imported]
snr_db = { relative = 0.05, blocking = true }
"latency *" = { absolute = 0.5, blocking = false }
"""
WORKLOAD = """[voices]
slt = "slt.wav"

[[request]]
id = "r1"
text = "Is it quick?"
speaker = "slt"
statement = "r2"

[[request]]
id = "r2"
text = "It is quick."
language = "es-MX"
emphasis = "quick"
speed = 1.5
"""
PROJECT = """[project]
name = "mytts"
version = "1"
requires-python = ">=3.9"
dependencies = ["numpy>=1", "soundfile ; python_version > '3'"]

[project.entry-points."voxgate.targets"]
mine = "mytts:Target"

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[tool.voxgate]
build = [["make", "mytts"]]
install = [["python", "-m", "pip", "install", "."]]
shared = ["models"]

[tool.setuptools]
ext-modules = [{ name = "x", sources = ["x.c"] }]
"""


class Baselines:
    """Input: a baseline file."""

    name, share = "baselines", 60.0

    def __init__(self, folder: Path) -> None:
        trial = Trial(folder / "trial")
        self._wholes = [
            json.loads(path.read_text()) for path in sorted(trial.baselines.rglob("*.json"))
        ]

    def make(self, chance: random.Random) -> bytes:
        whole = chance.choice(self._wholes)
        return damaged(whole, chance) if chance.random() < 0.5 else mutate.json_text(whole, chance)

    def read(self, content: bytes) -> None:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            # as whoever opens the file says
            raise HarnessError("quality.json is no text") from error
        parse(text, "quality.json")

    def names(self, refusal: str) -> bool:
        return refusal.startswith("quality.json")


class _Toml:
    """A file that is written and read."""

    file, whole = "", ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / self.file

    def make(self, chance: random.Random) -> bytes:
        return mutate.toml_text(self.whole, chance)

    def names(self, refusal: str) -> bool:
        return str(self._path) in refusal


class Policies(_Toml):
    """Input: policy.toml."""

    name, share, file = "policies", 20.0, "policy.toml"
    whole = "\n".join(DEFAULT.read_text().split("\n")[:40]) + IMPORTED

    def read(self, content: bytes) -> None:
        self._path.write_bytes(content)
        load_policy(self._folder, NAMES)
        load_imported(self._folder)


class Budgets(_Toml):
    """Input: budgets.toml."""

    name, share, file, whole = "budgets", 30.0, "budgets.toml", BUDGETS

    def read(self, content: bytes) -> None:
        self._path.write_bytes(content)
        load_budgets(self._folder)


class Workloads(_Toml):
    """Input: a workload."""

    name, share, file, whole = "workloads", 30.0, "two.toml", WORKLOAD

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "slt.wav").write_bytes((ROOT / "tests/data/slt.flac").read_bytes())

    def read(self, content: bytes) -> None:
        self._path.write_bytes(content)
        load_workload("two.toml", self._folder).digest()


class Projects(_Toml):
    """Input: pyproject.toml of a revision."""

    name, share, file, whole = "pyproject.toml", 10.0, "pyproject.toml", PROJECT

    def read(self, content: bytes) -> None:
        self._path.write_bytes(content)
        (self._folder / "models").mkdir(exist_ok=True)
        build_recipe.recipe(self._folder)
        json.dumps(environments.dependencies(self._folder), sort_keys=True, default=str)
        requirements.unmet(requirements.required(self._folder))
        requirements.build_requirements(self._folder)
        requirements.check_python(self._folder)
