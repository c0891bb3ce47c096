"""
The files that a verb writes for a CI system when asked: the comment for a pull request, and JUnit's XML.

Knows where they go; what stands in them is `pr_comment.py`'s and `junit.py`'s business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.records.files import write_file
from harness.records.verdict import Judgement, judgement_to_dict
from harness.report.contents import Contents, all_differences
from harness.report.junit import junit
from harness.report.pr_comment import Place, comment


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where to write; None: not at all."""

    comment: Path | None = None
    junit: Path | None = None


def check_files(files: Files) -> Files:
    """Raise HarnessError, before any work, if there is no folder to write into."""
    for path in (files.comment, files.junit):
        if path is not None and not path.absolute().parent.is_dir():
            raise HarnessError(f"cannot write {path}: there is no folder {path.parent}; make it, or name another file")
    return files


def write_files(files: Files, document: Mapping[str, object], judgement: Judgement) -> None:
    """Write what was asked for. Raises HarnessError if it cannot be written."""
    if files.comment is not None:
        write_file(files.comment, comment(document, Place()), "name another file")
    if files.junit is not None:
        write_file(files.junit, junit(judgement), "name another file")


def document_of(contents: Contents) -> dict[str, object]:
    """Give what a comment is made from."""
    return {**judgement_to_dict(contents.judgement), "in_effect": all_differences(contents.run)}
