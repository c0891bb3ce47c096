"""The folder of a job: whose it is, and how it is continued."""

import json
from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError, SessionInterruptedError
from voxgate.harness.runner.resume import begin, continued_by, job_folder

AB = {"verb": "ab", "base": "3fa1c2e", "head": ".", "rounds": 4, "only": ["steps-*"]}
BISECT = {**AB, "verb": "bisect", "cell": None}


def test_a_new_job_gets_the_next_folder_or_the_one_that_is_named(tmp_path: Path) -> None:
    assert job_folder(tmp_path, None, AB, resume=False) == tmp_path / "0001"
    assert job_folder(tmp_path, tmp_path / "mine", AB, resume=False) == tmp_path / "mine"
    begin(tmp_path / "0001", AB)
    assert job_folder(tmp_path, None, AB, resume=False) == tmp_path / "0002"
    with pytest.raises(
        HarnessError, match=r"0001 is in use; choose another --out, or continue .* with --resume"
    ):
        job_folder(tmp_path, tmp_path / "0001", AB, resume=False)


def test_the_youngest_of_the_same_verb_is_resumed_or_the_one_that_is_named(tmp_path: Path) -> None:
    for number, facts in (("0002", AB), ("0010", AB), ("0011", BISECT)):
        begin(tmp_path / number, facts)
    (tmp_path / "0012").mkdir()
    assert job_folder(tmp_path, None, AB, resume=True) == tmp_path / "0010"
    assert job_folder(tmp_path, None, BISECT, resume=True) == tmp_path / "0011"
    assert job_folder(tmp_path, tmp_path / "0002", AB, resume=True) == tmp_path / "0002"


def test_what_was_begun_otherwise_is_refused_in_one_line_that_names_the_difference(
    tmp_path: Path,
) -> None:
    begin(tmp_path / "0001", AB)
    with pytest.raises(HarnessError) as caught:
        job_folder(tmp_path, None, {**AB, "rounds": 6, "base": "b07e11a"}, resume=True)
    assert str(caught.value) == (
        f"{tmp_path}/0001 cannot be resumed, it was begun otherwise (base 3fa1c2e against b07e11a; "
        "rounds 4 against 6); start a new one"
    )
    with pytest.raises(HarnessError, match="verb ab against bisect"):
        job_folder(tmp_path, tmp_path / "0001", BISECT, resume=True)


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no ab below .* to resume; begin one without --resume"):
        job_folder(tmp_path, None, AB, resume=True)
    with pytest.raises(HarnessError, match=r"holds nothing to resume: it has no job\.json"):
        job_folder(tmp_path, tmp_path, AB, resume=True)
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(HarnessError, match="is not valid JSON"):
        job_folder(tmp_path, tmp_path, AB, resume=True)


def test_the_facts_are_plain_json_and_a_folder_that_cannot_be_made_is_an_error(
    tmp_path: Path,
) -> None:
    begin(tmp_path / "a" / "b", AB)
    assert json.loads((tmp_path / "a" / "b" / "job.json").read_text()) == AB
    with pytest.raises(HarnessError, match="cannot write to"):
        begin(tmp_path / "a" / "b" / "job.json" / "c", AB)


def test_ctrl_c_becomes_the_command_that_goes_on() -> None:
    with (
        pytest.raises(SessionInterruptedError, match=r"^voxgate ab --resume$"),
        continued_by("voxgate ab --resume"),
    ):
        raise KeyboardInterrupt
    with pytest.raises(HarnessError), continued_by("voxgate ab --resume"):
        raise HarnessError("other")
