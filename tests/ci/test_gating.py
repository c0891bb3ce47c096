"""After the gate: comment and status of the right pull request, whatever the run left behind."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ci.fake_github import BOT, TOKEN, FakeGitHub, zipped
from tests.harness.report.outcomes import written
from voxgate.harness.ci import github
from voxgate.harness.ci.__main__ import main
from voxgate.harness.ci.gate import NO_VERDICT
from voxgate.harness.ci.github import GitHub
from voxgate.harness.errors import HarnessError
from voxgate.harness.report.pr_comment import MARKER, marker

RUN = 7
SHA = "a" * 40
SMOKE = marker("smoke")
Job = Callable[[dict[str, Any]], None]


def event(
    repository: str = "o/r", branch: str = "topic/x", sha: str = SHA, **more: object
) -> dict[str, Any]:
    head = {"full_name": repository, "owner": {"login": repository.partition("/")[0]}}
    run = {
        "id": RUN,
        "event": "pull_request",
        "head_sha": sha,
        "head_branch": branch,
        "head_repository": head,
    }
    return {
        "workflow_run": {
            **run,
            "html_url": "https://github.com/o/r/actions/runs/7",
            "conclusion": "failure",
            **more,
        }
    }


def leave(fake: FakeGitHub, name: str) -> None:
    fake.add_artifact(
        RUN,
        "voxgate-judgement-smoke",
        {"judgement.json": written(name).encode(), "comment.md": b"never read"},
    )
    fake.add_artifact(RUN, "voxgate-page-smoke.html", {"voxgate-page-smoke.html": b"<html>"})


def status(fake: FakeGitHub) -> tuple[str, str]:
    return fake.statuses[SHA][-1]["state"], fake.statuses[SHA][-1]["description"]


def test_a_regression_becomes_one_comment_and_a_failing_status(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    leave(fake, "regressed-speed")
    job(event())
    assert main(["comment"]) == 0
    [comment] = fake.comments[12]
    lines = comment["body"].split("\n")
    assert lines[0] == SMOKE
    assert lines[2] == "### ❌ smoke, nfe=8: 10 % slower (limit 5 %)"
    assert lines[4] == "**REGRESSED**: ❌ 1 regressed · ⚠️ 0 undecided · ✅ 1 passed"
    assert "https://github.com/o/r/actions/runs/7/artifacts/701" in comment["body"]
    assert "git fetch origin pull/12/merge && voxgate ab 3fa1c2e00000" in comment["body"]
    assert "/voxgate accept smoke REASON" in comment["body"]
    assert status(fake) == ("failure", "nfe=8: 10 % slower (limit 5 %)")
    assert fake.statuses[SHA][-1]["context"] == "voxgate/smoke"


def test_the_comment_is_brought_up_to_date_and_nobody_else_s_is_touched(
    fake: FakeGitHub, job: Job
) -> None:
    fake.add_pull()
    person = {
        "id": 1,
        "user": {"login": "x", "type": "User"},
        "body": f"{SMOKE} mine",
        "html_url": "https://github.com/c/x",
    }
    other = [{"id": n, "user": BOT, "body": "another bot", "html_url": ""} for n in range(2, 120)]
    fake.comments[12] = [person, *other]
    job(event())
    for name in ("regressed-speed", "pass"):
        leave(fake, name)
        assert main(["comment"]) == 0
    assert len(fake.comments[12]) == 120
    assert "**PASS**: ❌ 0 regressed · ⚠️ 0 undecided · ✅ 2 passed" in fake.comments[12][-1]["body"]
    assert fake.comments[12][0]["body"] == f"{SMOKE} mine"
    assert status(fake)[0] == "success"


def test_the_same_comment_is_not_written_again(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    leave(fake, "pass")
    job(event())
    main(["comment"])
    main(["comment"])
    assert [method for method, path, _ in fake.seen if "comments" in path and method != "GET"] == [
        "POST"
    ]


def test_a_fork_s_pull_request_is_found_by_its_repository_and_branch(
    fake: FakeGitHub, job: Job
) -> None:
    fake.add_pull(number=11, repository="o/r", branch="main", sha="b" * 40)
    fake.add_pull(number=13, repository="stranger/r", branch="main")
    leave(fake, "pass")
    job(event(repository="stranger/r", branch="main"))
    assert main(["comment"]) == 0
    assert list(fake.comments) == [13]


@pytest.mark.parametrize(
    "changes",
    [{"sha": "c" * 40}, {"repository": "x/y"}, {"branch": "other"}],
    ids=["newer commits", "repository", "branch"],
)
def test_an_old_verdict_is_not_told(
    fake: FakeGitHub, job: Job, changes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    fake.add_pull()
    leave(fake, "pass")
    job(event(**changes))
    assert main(["comment"]) == 0
    assert (fake.comments, fake.statuses) == ({}, {})
    assert "no open pull request has this commit" in capsys.readouterr().out


def test_what_the_run_says_of_its_pull_request_is_not_believed(
    fake: FakeGitHub, job: Job, tmp_path: Path
) -> None:
    fake.add_pull()
    document = {**json.loads(written("pass")), "number": 99, "pull_request": 99}
    files = {
        "judgement.json": json.dumps(document).encode(),
        "number": b"99",
        "../../etc/passwd": b"x",
    }
    fake.add_artifact(RUN, "voxgate-judgement-smoke", files)
    job(event())
    assert main(["comment"]) == 0
    assert list(fake.comments) == [12]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["event.json"]


BROKEN = {
    "no artifact": None,
    "no file": zipped({"other.json": b"{}"}),
    "no zip": b"PK no zip",
    "no JSON": zipped({"judgement.json": b"{"}),
    "no judgement": zipped({"judgement.json": b"{}"}),
    "deep": zipped({"judgement.json": b"[" * 100_000}),
    "no text": zipped({"judgement.json": b"\xff\xfe"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_without_a_judgement_it_says_so_and_the_status_fails(
    fake: FakeGitHub, job: Job, name: str
) -> None:
    fake.add_pull()
    archive = BROKEN[name]
    if archive is not None:
        fake.artifacts[RUN] = {"voxgate-judgement-smoke": archive}
    job(event(conclusion="success"))
    assert main(["comment"]) == 0
    assert "**no verdict: the gate ended before it could judge**" in fake.comments[12][0]["body"]
    assert status(fake) == ("failure", "no verdict: the gate ended before it could judge")


def test_a_cancelled_run_says_nothing(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    job(event(conclusion="cancelled"))
    assert main(["comment"]) == 0
    assert (fake.comments, fake.statuses) == ({}, {})


@pytest.mark.parametrize(("undecided", "state"), [("warn", "success"), ("fail", "failure")])
def test_what_is_undecided_passes_or_not_and_says_so(
    fake: FakeGitHub, job: Job, undecided: str, state: str
) -> None:
    fake.add_pull()
    leave(fake, "unresolved")
    job(event())
    assert main(["comment", "--undecided", undecided]) == 0
    assert status(fake) == (state, "undecided: UNRESOLVED: 2 unresolved")


def test_a_commit_that_was_accepted_stays_accepted(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    fake.statuses[SHA] = [
        {"context": "voxgate/smoke", "state": "success", "description": "accepted: for its voice"}
    ]
    leave(fake, "regressed-quality")
    job(event())
    assert main(["comment"]) == 0
    assert len(fake.statuses[SHA]) == 1
    assert "REGRESSED" in fake.comments[12][0]["body"]


def test_runs_of_other_kinds_and_other_events_are_left_alone(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    job(event(event="push"))
    assert main(["comment"]) == 0
    job({"push": {}})
    assert main(["comment"]) == 2
    assert fake.comments == {}


def test_a_zip_that_unpacks_to_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "UNPACKED_BYTES", 1000)
    with pytest.raises(HarnessError, match="unpacks to more than 1000 bytes"):
        github.unpacked(zipped({"a": b"0" * 600, "b": b"0" * 600}), "x")
    monkeypatch.setattr(github, "FILES", 1)
    with pytest.raises(HarnessError, match="has 2 files, more than 1"):
        github.unpacked(zipped({"a": b"", "b": b""}), "x")


def test_an_encrypted_zip_is_refused() -> None:
    whole = bytearray(zipped({"a": b"text"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + offset] |= 1
    assert zipfile.is_zipfile(io.BytesIO(whole))
    with pytest.raises(HarnessError, match="cannot be read"):
        github.unpacked(bytes(whole), "x")


def test_an_archive_above_the_limit_is_not_downloaded(fake: FakeGitHub, api: GitHub) -> None:
    fake.add_artifact(RUN, "x", {"a": bytes(range(256)) * 40})
    with pytest.raises(HarnessError, match="larger than 100 bytes"):
        api.archive("/actions/artifacts/700/zip", 100)


def test_the_token_does_not_follow_a_redirect_to_another_host(
    fake: FakeGitHub, api: GitHub
) -> None:
    fake.add_artifact(RUN, "x", {"a": b"text"})
    assert github.read_artifact(api, RUN, "x") == {"a": b"text"}
    tokens = {path: token for _, path, token in fake.seen}
    assert tokens["/repos/o/r/actions/artifacts/700/zip"] == f"Bearer {TOKEN}"
    assert tokens["/archive/7/x"] == ""


def test_github_s_own_words_and_what_to_do_end_the_job(
    fake: FakeGitHub, job: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.add_pull()
    leave(fake, "pass")
    job(event())
    fake.broken = {"/repos/o/r/issues/12/comments"}
    assert main(["comment"]) == 2
    assert (
        capsys.readouterr().err
        == "voxgate: GitHub answered 500 to GET /issues/12/comments?per_page=100&page=1: out of "
        "order\n"
    )
    monkeypatch.setenv("GITHUB_TOKEN", "other")
    assert main(["comment"]) == 2
    assert "Bad credentials; does the job have the permission" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("GITHUB_TOKEN", "", "GITHUB_TOKEN is not set"),
        ("GITHUB_API_URL", "http://evil.example", "must begin with https://"),
        ("GITHUB_REPOSITORY", "../x", "must be owner/name"),
        ("GITHUB_EVENT_PATH", "nowhere", "call this from a workflow"),
        ("GITHUB_API_URL", "http://127.0.0.1:9", "GitHub did not answer"),
    ],
)
def test_a_job_that_is_set_up_wrongly_says_what(
    job: Job,
    name: str,
    value: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job(event())
    monkeypatch.setenv(name, value)
    assert main(["comment"]) == 2
    assert words in capsys.readouterr().err


def of_suite(suite: str, name: str) -> dict[str, bytes]:
    return {"judgement.json": json.dumps({**json.loads(written(name)), "suite": suite}).encode()}


def test_two_suites_of_one_workflow_have_a_comment_and_a_status_each(
    fake: FakeGitHub, job: Job
) -> None:
    fake.add_pull()
    leave(fake, "regressed-speed")
    fake.add_artifact(RUN, "voxgate-judgement-options", of_suite("options", "pass"))
    fake.add_artifact(RUN, "voxgate-page-options", {"index.html": b"<html>"})
    job(event())
    for _ in range(2):
        assert main(["comment"]) == 0
        bodies = [comment["body"] for comment in fake.comments[12]]
        assert [body.split("\n")[0] for body in bodies] == [marker("options"), SMOKE]
        assert "**PASS**: " in bodies[0] and "artifacts/703" in bodies[0]
        assert "**REGRESSED**: " in bodies[1] and "artifacts/701" in bodies[1]
    assert {status["context"]: status["state"] for status in fake.statuses[SHA]} == {
        "voxgate/options": "success",
        "voxgate/smoke": "failure",
    }


def test_the_pictures_that_a_run_left_behind_are_linked(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    leave(fake, "regressed-quality")
    for name in ("voxgate-shifts-smoke.png", "voxgate-spectrograms-smoke.png"):
        fake.add_artifact(RUN, name, {name: b"png"})
    job(event())
    assert main(["comment"]) == 0
    body, run = fake.comments[12][0]["body"], "https://github.com/o/r/actions/runs/7/artifacts"
    assert f"[u01]({run}/701#u=u01) · [page]({run}/701)" in body
    assert f"[picture of the shifts]({run}/702) · [spectrograms]({run}/703)" in body


def test_an_acceptance_of_one_suite_is_none_of_another(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    fake.statuses[SHA] = [
        {"context": "voxgate/options", "state": "success", "description": "accepted: for its voice"}
    ]
    leave(fake, "regressed-quality")
    job(event())
    assert main(["comment"]) == 0
    assert status(fake)[0] == "failure" and fake.statuses[SHA][-1]["context"] == "voxgate/smoke"


def test_a_judgement_of_another_suite_than_its_artifact_is_none(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    fake.add_artifact(
        RUN, "voxgate-judgement-options", {"judgement.json": written("pass").encode()}
    )
    job(event())
    assert main(["comment"]) == 0
    assert fake.comments[12][0]["body"].startswith(
        f"{marker('options')}\n{NO_VERDICT}\n\n**no verdict"
    )
    assert (status(fake)[0], fake.statuses[SHA][-1]["context"]) == ("failure", "voxgate/options")


ODD_NAMES = (
    "voxgate-judgement",
    "voxgate-judgement-",
    "voxgate-judgement-../x",
    "voxgate-judgement-A b",
    "judgement-smoke",
)


def test_artifacts_whose_names_are_of_no_suite_are_passed_over(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    for name in ODD_NAMES:
        fake.add_artifact(RUN, name, {"judgement.json": written("pass").encode()})
    job(event())
    assert main(["comment"]) == 0
    assert fake.comments[12][0]["body"].startswith(f"{MARKER}\n{NO_VERDICT}\n\n**no verdict")
    assert (status(fake)[0], fake.statuses[SHA][-1]["context"]) == ("failure", "voxgate")
    leave(fake, "pass")
    assert main(["comment"]) == 0
    assert [comment["body"].split("\n")[0] for comment in fake.comments[12]] == [SMOKE], (
        "and the next verdict takes its place"
    )


def test_a_word_on_no_suite_is_taken_back_when_the_gate_has_judged(
    fake: FakeGitHub, job: Job
) -> None:
    fake.add_pull()
    leave(fake, "pass")
    job(event())
    assert main(["comment"]) == 0
    kept, fake.artifacts[RUN] = fake.artifacts[RUN], {}
    assert main(["comment"]) == 0
    assert "of earlier commits" in fake.comments[12][1]["body"]
    fake.artifacts[RUN] = kept
    assert main(["comment"]) == 0
    assert (
        "The gate has judged since" in fake.comments[12][1]["body"] and len(fake.comments[12]) == 2
    )


def test_more_suites_than_anybody_has_are_not_told(fake: FakeGitHub, job: Job) -> None:
    fake.add_pull()
    for number in range(21):
        fake.add_artifact(RUN, f"voxgate-judgement-s{number}", of_suite(f"s{number}", "pass"))
    job(event())
    assert main(["comment"]) == 2
    assert (fake.comments, fake.statuses) == ({}, {})
