"""
The files that a verb writes for a CI system: where, when, and what is refused before any work.
"""

from pathlib import Path

import pytest

from tests.harness.report.making import lied_to
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.report.junit import Files, check_files, document_of, junit, write_files
from voxgate.harness.report.pr_comment import CommentLinks, comment


def test_what_was_asked_for_is_written_and_no_more(tmp_path: Path) -> None:
    contents = lied_to(tmp_path)
    document = document_of(contents)
    write_files(Files(comment=tmp_path / "c.md"), document, contents, tmp_path)
    assert (tmp_path / "c.md").read_text(encoding="utf-8") == comment(document, CommentLinks())
    assert "asked nfe\\_steps=8, in effect 32" in (tmp_path / "c.md").read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*.xml"))
    write_files(Files(junit=tmp_path / "j.xml"), document, contents, tmp_path)
    found = (tmp_path / "j.xml").read_text(encoding="utf-8")
    assert found == junit(contents.judgement, contents.run)


@pytest.mark.parametrize(
    "verb",
    [["ab", "HEAD", ".", "two"], ["check", "two"], ["gate", "runs/0001"]],
    ids=lambda verb: verb[0],
)
@pytest.mark.parametrize("option", ["--comment", "--junit", "--pictures"])
def test_a_folder_that_is_not_there_is_said_before_any_work(
    verb: list[str],
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke([*verb, option, "nowhere/file"]) == 2
    assert capsys.readouterr().err.startswith(
        "voxgate: cannot write nowhere/file: there is no folder nowhere"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    contents = lied_to(tmp_path)
    (tmp_path / "taken").mkdir()
    files = check_files(Files(junit=tmp_path / "taken"))
    with pytest.raises(
        HarnessError, match=r"cannot write .*taken: Is a directory; name another file"
    ):
        write_files(files, document_of(contents), contents, tmp_path)
