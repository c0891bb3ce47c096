"""
Makes throw-away git repositories with a tiny engine in them: the scripted target, changed by a file
of the repository.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import QUALITY
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.signal_parity import snr
from voxgate.harness.metrics.spectral_parity import mel_distance
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.measurement import Value
from voxgate.harness.records.run import Run
from voxgate.harness.revisions import ab, paired_run
from voxgate.harness.runner.round import Round
from voxgate.harness.runner.runner import Runner
from voxgate.harness.scoring import kept_scores
from voxgate.harness.scoring.score_run import RunScores, audio_jobs

TARGET = '''
import json
from dataclasses import replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.targets.scripted import ScriptedTarget

CHANGES = json.loads((Path(__file__).parent / "changes.json").read_text())


class Voice(ScriptedTarget):
    def load(self, cell, defaults):
        super().load(cell, defaults)
        if "refuses" in CHANGES:
            raise HarnessError("told to refuse")
        self._script = CHANGES
        self._options |= CHANGES.get("options", {})


class Still(ScriptedTarget):
    """Stands for the control; takes no real time."""

    def load(self, cell, defaults):
        super().load(replace(cell, axes={}), defaults)
        self._script = CHANGES.get("control", {})
'''
SUITE = '''"""Is it as quick and as good as it was?"""
from voxgate import Suite

suite = Suite(target="voice.target:Voice", pipeline="any", workload="two.toml", axes={"steps": %s}, reference={"steps": 8},
              fixed={"audio_s": 0.1}, iterations=2)
'''  # noqa: E501
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n\n[[request]]\nid = "r2"\ntext = "Two."\n'


class Repository:
    """One repository; each `commit` changes some files and gives the commit's hash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        files = {
            "voice/__init__.py": "",
            "voice/target.py": TARGET,
            "two.toml": WORKLOAD,
            ".gitignore": "runs/\n",
        }
        self.write({**files, "voice/changes.json": "{}", "suites/two.py": SUITE % "[8, 4]"})
        self.first = self.commit("first")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(
        self, subject: str, files: Mapping[str, str] | None = None, **changes: object
    ) -> str:
        """Changes files, or the engine's own `changes.json`."""
        self.write(
            {**(files or {}), **({"voice/changes.json": json.dumps(changes)} if changes else {})}
        )
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        return self.git("rev-parse", "HEAD")


def listen(run: Run, golden: Path, **_: object) -> RunScores:
    """
    Score as if everything had been heard; SNR and mel distance to the reference's and to the golden
    audio are true ones.
    """
    values: dict[tuple[str, str], dict[str, Value]] = {}
    for key, job in audio_jobs(run, golden).items():
        values[key] = dict(QUALITY)
        for prefix, path in (("", job.reference), ("golden_", job.golden)):
            if path is not None:
                inputs = MetricInput(audio=read_recording(job.path), reference=read_recording(path))
                values[key][f"{prefix}snr"] = snr(inputs)
                values[key][f"{prefix}mel_distance"] = mel_distance(inputs)
    return RunScores(values=values, versions={})


def still_control(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """A control on the virtual clock, so that a busy machine moves nothing."""
    return tuple(
        replace(like, target="voice.target:Still", axes={"control": "fixed"}) for like in cells[:1]
    )


def stop_after(patch: pytest.MonkeyPatch, method: str, count: int) -> list[object]:
    """
    Lets a person press Ctrl-C at a call of one of the schedule's methods, or of its rounds'; gives
    the calls.
    """
    owner = next(each for each in (Runner, Round) if hasattr(each, method))
    real = getattr(owner, method)
    calls: list[object] = []

    def counted(self: Runner | Round, *arguments: object) -> object:
        if len(calls) >= count:
            raise KeyboardInterrupt
        calls.append(arguments)
        return real(self, *arguments)

    patch.setattr(owner, method, counted)
    return calls


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """
    A repository as the working directory, its audio quickly heard; its control, where there is one,
    on the virtual clock.
    """
    made = Repository(tmp_path / "project")
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(paired_run, "_control", lambda cells: ())
    monkeypatch.setattr(kept_scores, "score_run", listen)
    monkeypatch.setattr(ab, "CONFIRM_ROUNDS", 2)
    return made


@pytest.fixture
def controlled(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The same with a control."""
    monkeypatch.setattr(paired_run, "_control", still_control)
    return repository
