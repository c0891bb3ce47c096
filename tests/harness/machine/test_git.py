"""What names of revisions mean, in real repositories."""

from pathlib import Path

import pytest

from tests.harness.repository import Repository
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import between, describe, resolve, top_of


def test_a_branch_a_hash_and_an_expression_mean_a_commit(repository: Repository) -> None:
    second = repository.commit("second")
    for name in ("main", second, second[:8], "HEAD"):
        assert resolve(Path(), name).commit == second
    assert resolve(Path(), "HEAD~1").label == repository.first[:7]


def test_the_working_tree_is_named_by_its_commit_and_what_changed(repository: Repository) -> None:
    assert resolve(Path(), ".").label == repository.first[:7]
    repository.write({"voice/new.py": "", "two.toml": "# other"})
    now = resolve(Path(), "WORKTREE")
    assert now.is_now
    assert now.label == f"{repository.first[:7]} + 2 files"


@pytest.mark.parametrize("name", ["", "--exec=true", "-h", "nowhere", "HEAD:two.toml", "main;ls"])
def test_what_is_no_revision_is_refused_and_never_an_option(
    repository: Repository, name: str
) -> None:
    with pytest.raises(HarnessError, match=r"no name of a revision|there is no revision"):
        resolve(Path(), name)


def test_commits_between_are_listed_oldest_first_along_first_parents(
    repository: Repository,
) -> None:
    repository.git("switch", "--quiet", "--create", "side")
    repository.commit("on the side")
    repository.git("switch", "--quiet", "main")
    second = repository.commit("second")
    repository.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    merge = repository.git("rev-parse", "HEAD")
    good, bad = resolve(Path(), repository.first), resolve(Path(), "HEAD")
    assert between(Path(), good, bad) == (second, merge)
    with pytest.raises(HarnessError, match=r"is no ancestor of .*give GOOD first"):
        between(Path(), bad, good)


def test_a_commit_tells_its_date_and_subject_whatever_they_hold(repository: Repository) -> None:
    commit = describe(Path(), repository.commit('a "quoted" subject, ä | *'))
    assert (commit.author, commit.subject) == ("A", 'a "quoted" subject, ä | *')
    assert commit.date[4] == "-"


def test_outside_of_a_repository_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="lies in no git repository"):
        top_of(tmp_path)
    with pytest.raises(HarnessError, match="lies in no git repository"):
        resolve(tmp_path, "main")


def test_the_refusal_of_git_is_passed_on_in_its_own_words(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare, broken, empty = (tmp_path / name for name in ("bare.git", "broken", "empty"))
    repository.git("clone", "--quiet", "--bare", ".", str(bare))
    repository.git("worktree", "add", "--quiet", "--detach", str(broken))
    (broken / ".git").write_text("gitdir: /nowhere/at/all\n")
    repository.git("init", "--quiet", str(empty))
    with pytest.raises(
        HarnessError,
        match=r"git refuses to work in .*: fatal: this operation must be run in a work tree",
    ):
        top_of(bare)
    with pytest.raises(
        HarnessError, match=r"git refuses to work in .*broken: fatal: .*/nowhere/at/all"
    ):
        resolve(broken, "HEAD")
    with pytest.raises(HarnessError, match="has no commit yet; commit first"):
        resolve(empty, "HEAD")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for ask in (
        top_of,
        lambda folder: resolve(folder, "HEAD"),
        lambda folder: resolve(folder, "."),
    ):
        with pytest.raises(HarnessError, match=r"dubious ownership .* --add safe\.directory"):
            ask(Path())


def test_variables_of_a_hook_do_not_lead_elsewhere(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert resolve(Path(), "HEAD").commit == repository.first
