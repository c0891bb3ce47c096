"""Worktrees and environments of revisions: real ones, and nothing left of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.repository import Repository
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import resolve
from voxgate.harness.revisions import environments
from voxgate.harness.revisions.checkout import CACHE, SHARED, workshop

BACKEND = """
import zipfile
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "project-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("project-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: project\\nVersion: 1\\n")
        tags = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr("project-1.dist-info/WHEEL", tags)
        wheel.writestr("project-1.dist-info/RECORD", "")
    return name
"""  # noqa: E501
PYPROJECT = (
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\n'
    'name = "project"\n'
)


def trees(repository: Repository) -> list[Path]:
    return list((repository.folder / CACHE).glob("job-*/trees/*"))


def test_two_revisions_lie_side_by_side_and_nothing_is_left(repository: Repository) -> None:
    repository.commit("second", {"voice/mark.py": "second"})
    with workshop(repository.folder) as shop:
        first, second = (
            shop.checkout(resolve(Path(), name), ["voice"]) for name in ("HEAD~1", "HEAD")
        )
        assert not (first.tree / "voice/mark.py").exists()
        assert (second.tree / "voice/mark.py").read_text() == "second"
        assert len(str(first.tree)) == len(str(second.tree))
        assert (first.environment, first.launch.python) == (SHARED, sys.executable)
        assert first.toolchain["commit"] == repository.first[:7]
        assert shop.checkout(resolve(Path(), "HEAD~1"), ["voice"]) is first
    assert trees(repository) == []
    assert len(repository.git("worktree", "list").splitlines()) == 1
    assert repository.git("status", "--porcelain") == ""


def test_the_working_tree_is_used_as_it_is_and_is_still_there(repository: Repository) -> None:
    repository.write({"voice/mark.py": "not committed"})
    with workshop(repository.folder) as shop:
        now, then = (shop.checkout(resolve(Path(), name), ["voice"]) for name in (".", "HEAD"))
        assert (now.tree / "voice/mark.py").read_text() == "not committed"
        assert not (then.tree / "voice/mark.py").exists()
        assert len(str(now.tree)) == len(str(then.tree))
    assert (repository.folder / "voice/mark.py").exists()


def test_a_project_in_a_subfolder_is_found_in_the_worktree(repository: Repository) -> None:
    repository.commit("deeper", {"deep/voice/__init__.py": ""})
    with workshop(repository.folder / "deep") as shop:
        assert shop.checkout(resolve(Path(), "HEAD"), ["voice"]).tree.name == "deep"
        with pytest.raises(HarnessError, match="has no folder deep"):
            shop.tree(resolve(Path(), "HEAD~1"))


def test_a_package_from_elsewhere_is_refused(repository: Repository) -> None:
    with (
        workshop(repository.folder) as shop,
        pytest.raises(
            HarnessError, match=r"package voxgate.engine from .*/engine, not from its own"
        ),
    ):
        shop.checkout(resolve(Path(), "HEAD"), ["voxgate.engine"])
    with (
        workshop(repository.folder) as shop,
        pytest.raises(HarnessError, match="has no package nothing; commit it at the top or in src"),
    ):
        shop.checkout(resolve(Path(), "HEAD"), ["nothing"])


def test_what_an_interrupted_job_left_is_cleared_by_the_next_and_a_living_one_is_left_alone(
    repository: Repository,
) -> None:
    script = (
        "import os; from pathlib import Path; "
        "from voxgate.harness.revisions.checkout import workshop; "
        "from voxgate.harness.machine.git import resolve\n"
        "with workshop(Path()) as shop:\n"
        "    shop.tree(resolve(Path(), 'HEAD')); print('ready', flush=True); input(); os._exit(9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=repository.folder,
    ) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        with workshop(repository.folder):
            assert len(trees(repository)) == 1
        job.communicate("die\n")
    assert len(trees(repository)) == 1
    with workshop(repository.folder):
        assert trees(repository) == []
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_other_dependencies_get_an_environment_of_their_own_that_can_run_the_harness(
    repository: Repository,
) -> None:
    repository.commit(
        "packaged", {"backend.py": BACKEND, "pyproject.toml": f'{PYPROJECT}version = "1"\n'}
    )
    repository.commit(
        "strict", {"pyproject.toml": f'{PYPROJECT}version = "1"\nrequires-python = ">=3.8"\n'}
    )
    told: list[str] = []
    with workshop(repository.folder, told.append) as shop:
        assert shop.checkout(resolve(Path(), "HEAD"), ["voice"]).environment == SHARED
        own = shop.checkout(resolve(Path(), "HEAD~1"), ["voice"])
        assert own.environment.startswith("its own (.voxgate/environments/")
        assert own.launch.python.startswith(str(repository.folder / CACHE / "environments"))
        assert own.toolchain["numpy"]
    assert "has other dependencies; building its environment" in told[0]
    assert [path.name for path in (repository.folder / CACHE / "environments").glob("*/ready")] == [
        "ready"
    ]


def test_an_environment_that_cannot_be_built_is_an_error_and_no_leftover(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("other", {"constraints.txt": "numpy==1\n"})
    repository.commit("none", {"constraints.txt": ""})
    monkeypatch.setattr(environments, "WORKER", ("no-such-package",))
    monkeypatch.setattr(environments, "_is_installed", lambda name: True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with (
        workshop(repository.folder) as shop,
        pytest.raises(HarnessError, match=r"cannot be built: .*No matching distribution"),
    ):
        shop.checkout(resolve(Path(), "HEAD~1"), ["voice"])
    assert list((repository.folder / CACHE / "environments").glob("*/ready")) == []


def test_settings_of_tools_do_not_ask_for_another_environment(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\ndependencies = ['a>=1']\n[tool.ruff]\nline-length = 100\n"
    )
    before = environments.dependencies(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['a>=1']\n")
    assert environments.dependencies(tmp_path) == before
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['a>=2']\n")
    assert environments.dependencies(tmp_path) != before
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(HarnessError, match="cannot be read"):
        environments.dependencies(tmp_path)
