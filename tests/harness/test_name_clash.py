"""
A project whose own packages are called `harness` and `engine`: its pytest works, its suite loads,
its target is measured, and neither side sees the other's packages.
"""

import subprocess
import sys
from pathlib import Path

import pytest

TARGET = """
from harness import RATE
from voxgate import Target


class Theirs(Target):
    sample_rate_hz = RATE

    def load(self, cell, defaults):
        from engine import hum

        self.hum = hum

    def effective(self):
        return {}

    def synthesize(self, request, watch):
        yield self.hum(20)
"""
ENGINE = """
import numpy


def hum(n):
    return numpy.full(800 * n, 0.1, "float32")
"""
SUITE = """
from voxgate import Suite

suite = Suite(
    target="harness.target:Theirs", pipeline="hum", workload="workloads/two.toml",
    cells=[{}], reference={},
)
"""
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n'
TEST = """
import harness
from engine import hum

def test_ours():
    assert harness.RATE == 16000
    assert len(hum(1)) == 800
"""


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    for name, text in {
        "harness/__init__.py": "RATE = 16000\n",
        "harness/target.py": TARGET,
        "engine/__init__.py": ENGINE,
        "suites/two.py": SUITE,
        "workloads/two.toml": WORKLOAD,
        "test_ours.py": TEST,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=project, capture_output=True, text=True, check=False
    )


def test_their_pytest_runs_their_tests(project: Path) -> None:
    done = run(project, "pytest", "-q", "-p", "no:cacheprovider", "test_ours.py")

    assert done.returncode == 0, done.stdout + done.stderr


def test_their_target_is_measured_by_their_code(project: Path) -> None:
    done = run(project, "voxgate", "run", "two", "--repeats", "1", "--out", "out")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "out" / "run.json").is_file()
