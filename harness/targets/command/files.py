"""
The files that a command line names: the program that will be found, and the scripts and models
among its words, each with its digest.

Looks at files; starts nothing. What a program reads further is its own business, and unknown here.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.command_line import placeholders

DIGEST_LENGTH = 12
BLOCK_BYTES = 2**20
LARGEST_BYTES = 2**28
"""Of a file that is hashed; of a larger one, such as a model, the size stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file that a word of the command names."""

    word: str
    path: Path
    """With links resolved."""
    content: str
    """Its digest, or its size where it is too large for one."""

    def shown(self, folder: Path) -> str:
        """Return path and content for people; the path relative to a folder that holds it."""
        inside = self.path.is_relative_to(folder.resolve())
        path = self.path.relative_to(folder.resolve()) if inside else self.path
        return f"{path} ({self.content})"


def find_program(word: str, folder: Path, search: str | None = None) -> Path:
    """
    Return the file of a program: relative to `folder` if the word has a slash, else on PATH.

    Raises HarnessError if there is none, or if it cannot be executed.
    """
    if os.sep in word:
        path = folder / word
        if not path.is_file():
            raise HarnessError(
                f"the program {word} of command= is no file in {folder}; a path is relative to the "
                "project's folder"
            )
        if not os.access(path, os.X_OK):
            raise HarnessError(f"the program {path} cannot be executed; call chmod +x on it")
        return path
    found = shutil.which(word, path=search)
    if found is None:
        raise HarnessError(
            f"the program {word} of command= is not on the PATH; install it, or name it by a path "
            f"relative to the project's folder, such as ./{word}"
        )
    return Path(found)


def named_files(
    words: Sequence[str], folder: Path, search: str | None = None
) -> tuple[NamedFile, ...]:
    """
    Return the program, and the files that its further words name. Raises HarnessError where there
    is no program.
    """
    files = [_named(words[0], find_program(words[0], folder, search))]
    for word in words[1:]:
        path = folder / word.rpartition("=")[2]
        if not placeholders(word) and word.rpartition("=")[2] and _is_file(path):
            files.append(_named(word, path))
    return tuple(files)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a word that is too long for a path
        return False


def _named(word: str, path: Path) -> NamedFile:
    path = path.resolve()
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            return NamedFile(word=word, path=path, content=f"{size} bytes")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise HarnessError(f"cannot read {path}, which command= names: {error.strerror}") from error
    return NamedFile(word=word, path=path, content=f"sha256 {digest.hexdigest()[:DIGEST_LENGTH]}")
