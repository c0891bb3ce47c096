"""
`/voxgate accept SUITE REASON`: who may, what becomes of it, and that nothing of the pull request is
believed or run.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.ci.fake_github import FakeGitHub
from tests.harness.fake_runs import REQUESTS, accepted
from voxgate.harness.ci.__main__ import main
from voxgate.harness.ci.accept import parse_request, with_reason
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline_file import parse

SHA = "a" * 40
GATE = 70
WRITTEN = "2026-11-20T12:00:00Z"
WHY = "The new vocoder is worth it (accepted by ann in #12)"
ASK = "/voxgate accept smoke The new vocoder is worth it"
Job = Callable[[dict[str, Any]], None]


def event(body: str = ASK, login: str = "ann", **issue: object) -> dict[str, Any]:
    comment = {"body": body, "user": {"login": login}, "created_at": WRITTEN}
    return {"comment": comment, "issue": {"number": 12, "pull_request": {"url": "x"}, **issue}}


def candidate(tmp_path: Path) -> bytes:
    """The quality baseline as `accept` writes it."""
    return whole(tmp_path)["smoke/quality.json"]


def whole(tmp_path: Path) -> dict[str, bytes]:
    """The quality baseline and its golden audio, as the gate leaves them behind."""
    accepted(tmp_path)
    top = tmp_path / "baselines"
    names = (top / "smoke/quality.json", *(top / "smoke/golden").iterdir())
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in names}


@pytest.fixture
def gated(fake: FakeGitHub, tmp_path: Path) -> FakeGitHub:
    """A pull request whose gate left a candidate behind, and ann who may write."""
    fake.writers = {"ann"}
    fake.add_pull(sha=SHA, branch="topic/x")
    fake.branches["topic/x"] = SHA
    old = {
        "baselines/smoke/quality.json": b"{}",
        "baselines/smoke/golden/old.flac": b"old",
        "README.md": b"read",
    }
    fake.add_commit(SHA, {**old, "baselines/other/golden/u.flac": b"other"})
    fake.runs[SHA] = [GATE - 1, GATE]
    leave(fake, whole(tmp_path))
    return fake


def leave(fake: FakeGitHub, files: Mapping[str, bytes]) -> None:
    fake.add_artifact(GATE, "voxgate-baseline-smoke", files)


def test_the_candidate_becomes_a_commit_with_the_reason_in_it(gated: FakeGitHub, job: Job) -> None:
    job(event())
    assert main(["accept"]) == 0
    sha = gated.branches["topic/x"]
    files = gated.files_of(sha)
    assert gated.made[sha]["parents"] == [SHA]
    assert parse(files["baselines/smoke/quality.json"].decode(), "q").why == WHY
    assert files["baselines/smoke/golden/u01.flac"].startswith(b"fLaC")
    assert sorted(files) == [
        "README.md",
        "baselines/other/golden/u.flac",
        *(f"baselines/smoke/golden/{name}.flac" for name in REQUESTS),
        "baselines/smoke/quality.json",
    ]
    [status] = gated.statuses[sha]
    assert (status["state"], status["description"]) == ("success", f"accepted: {WHY}")
    assert SHA not in gated.statuses
    assert gated.comments[12][-1]["body"].startswith(
        "Accepted: The new vocoder is worth it (accepted by ann in \\#&#8203;12)"
    )


def test_only_the_reason_is_changed_so_that_the_diff_is_the_one_of_accept(tmp_path: Path) -> None:
    before = candidate(tmp_path).decode()
    after = with_reason(before, 'say "so"\u2028', "smoke")
    changed = [
        (old, new)
        for old, new in zip(before.split("\n"), after.split("\n"), strict=True)
        if old != new
    ]
    assert changed == [('"why": "first",', '"why": "say \\"so\\"\\u2028",')]


def test_who_may_not_write_is_not_heard_and_not_answered(
    gated: FakeGitHub, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job(event(login="mallory"))
    assert main(["accept"]) == 0
    assert gated.branches["topic/x"] == SHA
    assert (gated.comments, gated.statuses) == ({}, {})
    assert "mallory may not write" in capsys.readouterr().out


REFUSED = {
    "no reason": ("/voxgate accept smoke", {}, "needs a suite and a reason"),
    "no suite": ("/voxgate accept ../x because it is so", {}, "needs a suite and a reason"),
    "other suite": (
        "/voxgate accept options because it is so",
        {},
        "left no candidate baseline of options",
    ),
    "closed": (ASK, {"state": "closed"}, "pull request 12 is closed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_said_on_the_pull_request(
    gated: FakeGitHub, job: Job, name: str
) -> None:
    body, changes, words = REFUSED[name]
    gated.pulls[0].update(changes)
    job(event(body=body))
    assert main(["accept"]) == 2
    assert gated.branches["topic/x"] == SHA
    assert words in gated.comments[12][-1]["body"]
    assert gated.comments[12][-1]["body"].startswith("Not accepted: ")


BAD = {
    "other suite inside": lambda text: text.replace(b'"suite": "smoke"', b'"suite": "other"'),
    "speed": lambda text: text.replace(b'"kind": "quality"', b'"kind": "speed"'),
    "no JSON": lambda text: text[:-20],
    "two reasons": lambda text: text.replace(b'"samples"', b'"why": "x",\n"samples"'),
    "list": lambda text: b"[]",
}


@pytest.mark.parametrize("name", BAD)
def test_a_candidate_that_is_no_baseline_is_refused(
    gated: FakeGitHub, job: Job, tmp_path: Path, name: str
) -> None:
    leave(gated, {"smoke/quality.json": BAD[name](candidate(tmp_path))})
    job(event())
    assert main(["accept"]) == 2
    assert gated.branches["topic/x"] == SHA


def test_only_a_baseline_s_files_are_committed_whatever_else_the_gate_left(
    gated: FakeGitHub, job: Job, tmp_path: Path
) -> None:
    evil = (
        ".github/workflows/x.yml",
        "smoke/golden/../../x.flac",
        "smoke/run.py",
        "smoke/golden/a/b.flac",
        "other/quality.json",
    )
    leave(gated, {**whole(tmp_path), **dict.fromkeys(evil, b"evil")})
    job(event())
    assert main(["accept"]) == 0
    assert b"evil" not in gated.files_of(gated.branches["topic/x"]).values()


@pytest.mark.parametrize(
    "change", [{"smoke/golden/u01.flac": b"fLaC other"}, {"smoke/golden/more.flac": b"fLaC"}]
)
def test_golden_audio_that_the_baseline_does_not_name_is_refused(
    gated: FakeGitHub, job: Job, tmp_path: Path, change: Mapping[str, bytes]
) -> None:
    leave(gated, {**whole(tmp_path), **change})
    job(event())
    assert main(["accept"]) == 2
    assert gated.branches["topic/x"] == SHA
    assert "is not what its quality.json names" in gated.comments[12][-1]["body"]


def test_a_branch_that_moved_on_is_not_overwritten(gated: FakeGitHub, job: Job) -> None:
    gated.branches["topic/x"] = "d" * 40
    job(event())
    assert main(["accept"]) == 2
    assert gated.branches["topic/x"] == "d" * 40
    assert "Update is not a fast forward" in gated.comments[12][-1]["body"]


def test_before_the_gate_has_ended_there_is_nothing_to_accept(gated: FakeGitHub, job: Job) -> None:
    gated.runs = {}
    job(event())
    assert main(["accept"]) == 2
    assert "wait until it has ended" in gated.comments[12][-1]["body"]


def test_on_a_fork_the_author_is_told_what_to_run_and_the_second_comment_accepts(
    gated: FakeGitHub, job: Job, tmp_path: Path
) -> None:
    gated.pulls.clear()
    gated.add_pull(sha=SHA, repository="stranger/r")
    job(event())
    assert main(["accept"]) == 0
    told = gated.comments[12][-1]["body"]
    assert (
        "    voxgate accept runs/accept --only quality --why 'The new vocoder is worth it'\n"
        in told
    )
    assert (gated.branches["topic/x"], gated.statuses) == (SHA, {})
    text = with_reason(
        candidate(tmp_path).decode(), "The new vocoder is worth it", "smoke"
    ).encode()
    gated.add_commit(SHA, {"baselines/smoke/quality.json": text})
    assert main(["accept"]) == 0
    [status] = gated.statuses[SHA]
    assert status["state"] == "success"


def test_another_reason_in_the_baseline_accepts_nothing(
    gated: FakeGitHub, job: Job, tmp_path: Path
) -> None:
    gated.pulls.clear()
    gated.add_pull(sha=SHA, repository="stranger/r")
    gated.add_commit(SHA, {"baselines/smoke/quality.json": candidate(tmp_path)})
    job(event())
    assert main(["accept"]) == 0
    assert gated.statuses == {}


def test_a_comment_on_an_issue_is_no_request(
    gated: FakeGitHub, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job(event(pull_request=None))
    assert main(["accept"]) == 2
    assert "no comment on a pull request" in capsys.readouterr().err


def test_the_first_line_counts_and_is_made_plain() -> None:
    request = parse_request(
        "/voxgate accept smoke  Worth\tit \x1b[2J\n/voxgate accept other no", 12, "ann", WRITTEN
    )
    assert (request.suite, request.why) == ("smoke", "Worth it ?[2J (accepted by ann in #12)")
    with pytest.raises(HarnessError):
        parse_request("", 12, "ann", WRITTEN)


def test_a_quotation_mark_in_the_reason_breaks_no_command(gated: FakeGitHub, job: Job) -> None:
    gated.pulls.clear()
    gated.add_pull(sha=SHA, repository="stranger/r")
    job(event(body="/voxgate accept smoke It's $(rm -rf ~) worth it"))
    assert main(["accept"]) == 0
    assert """--why 'It'"'"'s $(rm -rf ~) worth it'\n""" in gated.comments[12][-1]["body"]


EARLIER, LATER = "2026-11-20T11:00:00Z", "2026-11-20T12:00:01Z"
MOVED = {
    "a commit after the comment": (
        {SHA: [GATE]},
        {GATE: LATER},
        "has moved since your comment was written",
    ),
    "in the same second": (
        {SHA: [GATE]},
        {GATE: WRITTEN},
        "has moved since your comment was written",
    ),
    "one that the gate has not seen": (
        {"b" * 40: [GATE]},
        {},
        "the gate has not seen aaaaaaaaaaaa",
    ),
    "away and back": (
        {SHA: [GATE, GATE + 2], "b" * 40: [GATE + 1]},
        {GATE + 1: EARLIER, GATE + 2: LATER},
        "has moved since",
    ),
    "back without a run": (
        {SHA: [GATE], "b" * 40: [GATE + 1]},
        {GATE + 1: EARLIER},
        "the gate has not seen aaaaaaaaaaaa",
    ),
}


@pytest.mark.parametrize("name", MOVED)
@pytest.mark.parametrize("repository", ["o/r", "stranger/r"])
def test_only_the_commit_that_the_comment_was_written_for_is_accepted(
    gated: FakeGitHub, job: Job, tmp_path: Path, name: str, repository: str
) -> None:
    """
    Even where its baseline gives the very reason, which whoever pushes can read in the comment.
    """
    gated.pulls.clear()
    gated.add_pull(sha=SHA, repository=repository)
    text = with_reason(
        candidate(tmp_path).decode(), "The new vocoder is worth it", "smoke"
    ).encode()
    gated.add_commit(SHA, {"baselines/smoke/quality.json": text})
    gated.runs, gated.run_times, words = MOVED[name]
    job(event())
    assert main(["accept"]) == 2
    assert (gated.branches["topic/x"], gated.statuses) == (SHA, {})
    assert (
        words in gated.comments[12][-1]["body"]
        and "comment again" in gated.comments[12][-1]["body"]
    )


def test_another_repository_s_branch_of_the_same_name_is_not_taken_for_this_one(
    gated: FakeGitHub, job: Job
) -> None:
    gated.add_pull(number=13, sha="c" * 40, repository="stranger/r", branch="topic/x")
    gated.runs["c" * 40] = [GATE + 9]
    gated.run_times[GATE + 9] = LATER
    job(event())
    assert main(["accept"]) == 0
    assert gated.branches["topic/x"] != SHA


def test_a_candidate_that_was_measured_again_after_the_comment_is_not_the_one_that_was_seen(
    gated: FakeGitHub, job: Job
) -> None:
    gated.artifact_times[GATE] = LATER
    job(event())
    assert main(["accept"]) == 2
    assert gated.branches["topic/x"] == SHA
    assert "was measured again after your comment" in gated.comments[12][-1]["body"]


@pytest.mark.parametrize("written", ["", "yesterday", None])
def test_a_comment_without_its_moment_accepts_nothing(
    gated: FakeGitHub, job: Job, written: str | None
) -> None:
    told = event()
    told["comment"]["created_at"] = written
    job(told)
    assert main(["accept"]) == 2
    assert gated.branches["topic/x"] == SHA


def test_each_suite_has_its_own_candidate_and_status(gated: FakeGitHub, job: Job) -> None:
    gated.add_artifact(GATE, "voxgate-baseline-other", {"other/quality.json": b"{}"})
    job(event())
    assert main(["accept"]) == 0
    [status] = gated.statuses[gated.branches["topic/x"]]
    assert status["context"] == "voxgate/smoke"
