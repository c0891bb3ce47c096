"""
The code of a revision that the cells of a suite measure: packages of targets, and the programs of
command lines.

A command line must name a file of the revision, or a module of it: else both sides would run the
same program, whatever the revisions are. Looks at files; starts nothing.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell
from voxgate.harness.records.command_line import CommandLine
from voxgate.harness.revisions.checkout import Checkout
from voxgate.harness.targets.command.files import named_files
from voxgate.harness.targets.registry import package_of


def measured_packages(cells: Sequence[Cell]) -> list[str]:
    """Name the packages that cells measure; a command line measures none, but files."""
    return sorted({measured_package(cell.target) for cell in cells if cell.command is None})


def programs_of(cells: Sequence[Cell], base: Checkout, head: Checkout) -> tuple[str, ...]:
    """
    Describe the files that the command lines of cells find on both sides.

    Raises HarnessError for a program that is missing on a side, and for a command line that names
    no file of the revision: two revisions cannot differ in it.
    """
    notes = []
    for command in {str(cell.command): cell.command for cell in cells if cell.command}.values():
        files = [side_files(command, side) for side in (base, head)]
        texts = [", ".join(shown) for shown in files]
        module = _module(command, base.tree)
        same = (
            "the same, so that they can differ only in other files"
            if module is None
            else f"{module} is each side's own"
        )
        notes.append(
            f"both sides run {texts[0]}: {same}"
            if texts[0] == texts[1]
            else f"BASE runs {texts[0]}; HEAD runs {texts[1]}"
        )
    return tuple(notes)


def side_files(command: CommandLine, side: Checkout) -> tuple[str, ...]:
    """
    Return the files of a command line on a side, in words. Raises HarnessError where none of them
    is the revision's own.
    """
    env = {**os.environ, **side.launch.env}
    try:
        files = named_files(command.words, side.tree, env.get("PATH"))
    except HarnessError as error:
        raise HarnessError(f"{side.revision.label}: {error}") from error
    own = [root.resolve() for root in (side.tree, *_own_environment(side))]
    inside = [file for file in files if any(file.path.is_relative_to(root) for root in own)]
    module = _module(command, side.tree)
    if not inside and module is None:
        raise HarnessError(
            f"the command {command} runs {files[0].path} on {side.revision.label}, which is no "
            "file of that revision, so two revisions cannot differ in it; name a program or a "
            "script by a path relative to the project (./mytts), a package of it (python -m "
            "mytts), or let [tool.voxgate] install= put the program into the environment of each "
            "side"
        )
    return (*(file.shown(side.tree) for file in files), *([f"-m {module}"] if module else []))


def _own_environment(side: Checkout) -> list[Path]:
    """Return the environment that was made for a side; empty where it shares voxgate's."""
    folder = Path(side.launch.python).parents[1]
    return [] if side.launch.python == sys.executable else [folder]


def _module(command: CommandLine, tree: Path) -> str | None:
    """Return the module of the revision that `-m` names; None where there is none."""
    for before, word in zip(command.words[1:], command.words[2:], strict=False):
        top = word.partition(".")[0]
        places = [root / name for root in (tree / "src", tree) for name in (top, f"{top}.py")]
        if before == "-m" and top.isidentifier() and any(map(Path.exists, places)):
            return word
    return None


def measured_package(target: str) -> str:
    """
    Name the package that a target measures. Raises HarnessError if that is no code of a repository.
    """
    name = package_of(target)
    if name is None:
        raise HarnessError(
            f"target {target} measures no code of a repository, so two revisions cannot differ in "
            "it"
        )
    return name
