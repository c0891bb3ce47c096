"""A workspace like a user's repository, with an engine of its own that can be broken on purpose."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = '''"""Is the engine as it was?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="workload.toml",
    cells=[{}, {"quantization": "int8-weight-only"}],
    reference={},
)
'''
WORKLOAD = """
[[request]]
id = "w1"
text = "Turn left here."

[[request]]
id = "w2"
text = "Good morning."
speaker = "rms"

[[request]]
id = "w3"
text = "See you soon."

[[request]]
id = "w4"
text = "Thank you."
speaker = "rms"
"""
POLICY = """
# The machine that runs these tests is shared and noisy: only a change beyond doubt counts as one.
schema_version = 1

[metrics]
latency_p50 = { relative = 0.6, blocking = true, against = "baseline", evidence = "processes" }
latency_p95 = { relative = 0.6, blocking = false, against = "baseline", evidence = "processes" }
rtf = { relative = 0.6, blocking = true, against = "baseline", evidence = "processes" }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """
    A folder with `voxgate/engine/`, `suites/`, `baselines/` of its own; commands run in it find
    that engine first, and this harness by links.
    """

    folder: Path

    def voxgate(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the harness."""
        command = [sys.executable, "-m", "voxgate", *words]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=500
        )

    def check(self, *words: str) -> subprocess.CompletedProcess[str]:
        """
        Run the main job on the workspace's suite, in the profile that does not ask for a quiet
        machine.
        """
        return self.voxgate("check", "steady", "--profile", "cpu", *words)

    def measure_anew(self) -> None:
        """
        Take the baseline's speed again: the machine was so busy that nothing could be told from it.
        """
        self.check("--repeats", "3", "--budget", "0")
        newest = max(path.name for path in (self.folder / "runs").glob("[0-9]*"))
        done = self.voxgate(
            "accept",
            f"runs/{newest}",
            "--only",
            "speed",
            "--why",
            "the machine was busy",
            "--loaded",
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def broken(self, tmp_path: Path, file: str, old: str, new: str) -> "Workspace":
        """Give a copy in which one place of the engine's code is another."""
        copy = Workspace(
            folder=Path(shutil.copytree(self.folder, tmp_path / "broken", symlinks=True))
        )
        path = copy.folder / "voxgate" / "engine" / file
        source = path.read_text()
        assert source.count(old) == 1, f"{file} no longer has exactly one {old!r}"
        path.write_text(source.replace(old, new))
        return copy


def make_workspace(folder: Path) -> Workspace:
    """Copy the engine and write a suite, a workload and a policy beside it."""
    package = folder / "voxgate"
    package.mkdir(parents=True)
    for path in (*(ROOT / "harness" / "package").glob("*.py"), ROOT / "harness"):
        (package / path.name).symlink_to(path)
    shutil.copytree(
        ROOT / "engine",
        package / "engine",
        ignore=shutil.ignore_patterns("__pycache__", "training"),
    )
    for name, text in (
        ("suites/steady.py", SUITE),
        ("workload.toml", WORKLOAD),
        ("baselines/policy.toml", POLICY),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Workspace(folder=folder)


@pytest.fixture(name="accepted", scope="session")
def _accepted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose engine was measured once and accepted."""
    workspace = make_workspace(tmp_path_factory.mktemp("workspace") / "repo")
    first = workspace.check("--repeats", "3")
    # no baseline yet: undecided, and said so
    assert first.returncode == 3, first.stdout + first.stderr
    accepted = workspace.voxgate("accept", "runs/0001", "--why", "first", "--loaded")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    return workspace
