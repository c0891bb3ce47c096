"""
Submodules and Git LFS files, which git leaves out of a worktree: copied from this machine, or
refused.

Nothing is fetched over a network: a revision is measured with its own files or not at all, and the
error names the missing ones. Submodules become shared clones, LFS files copies; both are removed
with the worktree.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.git import git

GITLINK = "160000"
"""The mode of a submodule in a tree."""
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid "
    rb"sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>\d+)\n"
)
LONGEST_POINTER = 1024
"""Bytes; as Git LFS has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """A commit of another repository, at a path."""

    path: str
    commit: str
    name: str
    """As .gitmodules calls it; the path where it does not."""


def fill(tree: Path, source: Path, label: str) -> None:
    """
    Add submodules and Git LFS files to a worktree. Raises HarnessError if one is not on this
    machine.

    `source` is a checked-out repository or its git folder, of which the worktree is a revision;
    `label` names that for people.
    """
    replace_pointers(tree, label)
    for submodule in submodules(tree):
        home = _home(submodule, source)
        if home is None:
            raise HarnessError(
                f"{label} needs submodule {submodule.path} at {submodule.commit[:7]}, which is not "
                "here; fetch it (`git submodule update --init --recursive`, or `git fetch` in "
                f"{submodule.path}) and call again"
            )
        place = tree / submodule.path
        git(tree, "clone", "--quiet", "--shared", "--no-checkout", "--", str(home), str(place))
        git(place, "checkout", "--quiet", "--detach", submodule.commit)
        fill(place, home, f"{label}, submodule {submodule.path},")


def submodules(tree: Path) -> tuple[Submodule, ...]:
    """
    List the submodules of a worktree's commit; without those that .gitmodules does not name, as git
    does.
    """
    names = dict(_names(tree))
    lines = git(tree, "ls-tree", "-r", "-z", "HEAD").split("\0")
    links = [line.partition("\t") for line in lines if line.startswith(GITLINK)]
    commits = [(path, entry.split()[2]) for entry, _, path in links]
    return tuple(
        Submodule(path=path, commit=commit, name=names[path])
        for path, commit in commits
        if path in names
    )


def replace_pointers(tree: Path, label: str) -> None:
    """Put the content in place of Git LFS pointers. Raises HarnessError if it is not here."""
    pointers = list(_pointers(tree))
    if not pointers:
        return
    store = _lfs_store(tree)
    absent = [
        path
        for path, oid, size in pointers
        if not _is_whole(store / oid[:2] / oid[2:4] / oid, size)
    ]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise HarnessError(
            f"{label} holds {absent[0]}{more} as Git LFS pointers, and the content is not here; "
            f"fetch it (`git lfs fetch origin {label}`) and call again"
        )
    for path, oid, _ in pointers:
        shutil.copyfile(store / oid[:2] / oid[2:4] / oid, tree / path)


def check_pointers(tree: Path) -> None:
    """Raise HarnessError if the working tree holds Git LFS pointers in place of files."""
    paths = [path for path, *_ in _pointers(tree)]
    if paths:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        raise HarnessError(
            f"the working tree holds {paths[0]}{more} as Git LFS pointers; fetch the content (`git "
            "lfs pull`) and call again"
        )


def _names(tree: Path) -> Iterator[tuple[str, str]]:
    """Yield (path, name) of the entries of .gitmodules."""
    if not (tree / ".gitmodules").is_file():
        return
    said = git(tree, "config", "--file", ".gitmodules", "--null", "--list")
    for entry in said.split("\0"):
        key, _, value = entry.partition("\n")
        if key.startswith("submodule.") and key.endswith(".path"):
            yield value, key.removeprefix("submodule.").removesuffix(".path")


def _home(submodule: Submodule, source: Path) -> Path | None:
    """
    Find a git folder on this machine that has a submodule's commit: where it is checked out, or
    where git keeps it.
    """
    modules = (Path(_git_folder(source)) / "modules").resolve()
    kept = modules / submodule.name
    places = [source / submodule.path] if (source / submodule.path / ".git").exists() else []
    places += [kept] if kept.resolve().is_relative_to(modules) and kept.is_dir() else []
    return next((place for place in places if _has(place, submodule.commit)), None)


def _has(place: Path, commit: str) -> bool:
    # its own may be gone
    inside = () if (place / ".git").exists() else ("--git-dir=.", "--work-tree=.")
    try:
        git(place, *inside, "cat-file", "-e", f"{commit}^{{commit}}")
    except HarnessError:
        return False
    return True


def _git_folder(tree: Path) -> str:
    """Return where git keeps a repository; `tree` may be that itself."""
    if not (tree / ".git").exists() and (tree / "HEAD").is_file():
        return str(tree)
    return git(tree, "rev-parse", "--path-format=absolute", "--git-common-dir").removesuffix("\n")


def _pointers(tree: Path) -> Iterator[tuple[str, str, int]]:
    """
    Yield (path, oid, size) of the files that are tracked by Git LFS and were left as pointers.
    """
    if not _may_use_lfs(tree):
        return
    files = git(tree, "ls-files", "-z")
    fields = git(tree, "check-attr", "-z", "--stdin", "filter", input_text=files).split("\0")
    for path, value in zip(fields[0::3], fields[2::3], strict=False):
        pointer = _pointer(tree / path) if value == "lfs" else None
        if pointer is not None:
            yield path, pointer["oid"].decode(), int(pointer["size"])


def _may_use_lfs(tree: Path) -> bool:
    """
    Whether any file of attributes names the filter: to ask for those of every file takes seconds in
    a large repository.
    """
    names = git(tree, "ls-files", "-z", "--", ".gitattributes", "**/.gitattributes").split("\0")
    own = Path(_git_folder(tree)) / "info" / "attributes"
    paths = [own, *(tree / name for name in names if name)]
    return any(b"filter=lfs" in path.read_bytes() for path in paths if path.is_file())


def _pointer(path: Path) -> re.Match[bytes] | None:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST_POINTER:
        return None
    return POINTER.fullmatch(path.read_bytes())


def _lfs_store(tree: Path) -> Path:
    folder = Path(_git_folder(tree))
    chosen = [
        entry.partition("\n")[2]
        for entry in git(tree, "config", "--null", "--list").split("\0")
        if _names_storage(entry)
    ]
    return folder / (chosen[-1] if chosen else "lfs") / "objects"


def _names_storage(entry: str) -> bool:
    return entry.startswith("lfs.storage\n")


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def file_stats(top: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (name, stat) of the files of a working tree that git would add, in order."""
    names = git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in sorted(set(names)):
        if name and ((top / name).is_symlink() or (top / name).exists()):
            yield name, (top / name).lstat()


def take_changes(top: Path, folder: Path) -> None:
    """
    Copy the state of the working tree into a worktree: every file that git would add, and no
    deleted one.
    """
    present = {name for name, _ in file_stats(top)}
    for name in git(folder, "ls-files", "-z").split("\0"):
        if name and name not in present:
            (folder / name).unlink(missing_ok=True)
    for name in present:
        source, place = top / name, folder / name
        if source.is_dir() and not source.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(source, place, symlinks=True, ignore=shutil.ignore_patterns(".git"))
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        shutil.copy2(source, place, follow_symlinks=False)
