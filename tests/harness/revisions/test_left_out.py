"""Submodules and Git LFS files of revisions: taken from this machine, or refused."""

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.harness.repository import Repository
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import resolve
from voxgate.harness.revisions.checkout import workshop

LOCAL = ("-c", "protocol.file.allow=always")


@pytest.fixture
def nested(repository: Repository, tmp_path: Path) -> Repository:
    """
    A repository with a submodule that has one itself, whose file is `old` in the first commit and
    `new` in the second.
    """
    inner, outer = Repository(tmp_path / "inner"), Repository(tmp_path / "outer")
    inner.commit("inner", {"model.txt": "old"})
    outer.git(*LOCAL, "submodule", "--quiet", "add", str(inner.folder), "deep")
    outer.commit("outer", {"model.txt": "old"})
    repository.git(*LOCAL, "submodule", "--quiet", "add", str(outer.folder), "parts/model")
    repository.git(*LOCAL, "submodule", "--quiet", "update", "--init", "--recursive")
    repository.commit("with a submodule")
    outer.commit("newer", {"model.txt": "new"})
    repository.git("-C", "parts/model", "pull", "--quiet", "origin", "main")
    repository.commit("newer submodule")
    return repository


def test_submodules_lie_in_the_worktree_as_the_revision_has_them(nested: Repository) -> None:
    with workshop(nested.folder) as shop:
        old, new = (shop.tree(resolve(Path(), name)) for name in ("HEAD~1", "HEAD"))
        assert (old / "parts/model/model.txt").read_text() == "old"
        assert (new / "parts/model/model.txt").read_text() == "new"
        assert (new / "parts/model/deep/model.txt").read_text() == "old"
    assert len(nested.git("worktree", "list").splitlines()) == 1
    assert nested.git("status", "--porcelain") == ""


def test_a_submodule_that_is_not_checked_out_is_found_where_git_keeps_it(
    nested: Repository,
) -> None:
    nested.git("submodule", "--quiet", "deinit", "--force", "--all")
    with workshop(nested.folder) as shop:
        assert (
            shop.tree(resolve(Path(), "HEAD")) / "parts/model/deep/model.txt"
        ).read_text() == "old"


def test_a_submodule_that_is_not_here_is_refused_and_named(nested: Repository) -> None:
    nested.git("submodule", "--quiet", "deinit", "--force", "--all")
    shutil.rmtree(nested.folder / ".git/modules")
    with (
        workshop(nested.folder) as shop,
        pytest.raises(HarnessError, match=r"needs submodule parts/model at \w{7}, "),
    ):
        shop.tree(resolve(Path(), "HEAD"))


def pointer(content: bytes) -> tuple[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    return (
        digest,
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n",
    )


def test_content_of_lfs_is_taken_from_here_and_refused_where_it_is_absent(
    repository: Repository,
) -> None:
    here, absent = pointer(b"weights"), pointer(b"other weights")
    repository.commit(
        "lfs",
        {".gitattributes": "*.bin filter=lfs -text\n", "model.bin": here[1], "text.txt": here[1]},
    )
    kept = repository.folder / ".git/lfs/objects" / here[0][:2] / here[0][2:4] / here[0]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    repository.commit("absent", {"more.bin": absent[1]})
    with workshop(repository.folder) as shop:
        tree = shop.tree(resolve(Path(), "HEAD~1"))
        assert (tree / "model.bin").read_bytes() == b"weights"
        assert (tree / "text.txt").read_text() == here[1], "it is not tracked by Git LFS"
        with pytest.raises(
            HarnessError, match=r"holds more\.bin as Git LFS pointers, and the content is not here"
        ):
            shop.tree(resolve(Path(), "HEAD"))
        with pytest.raises(
            HarnessError, match=r"the working tree holds model\.bin and 1 more as Git LFS pointers"
        ):
            shop.tree(resolve(Path(), "."))
