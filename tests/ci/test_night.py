"""A night on one machine: what is recorded, what is an alarm, and who is told."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.ci.fake_github import FakeGitHub
from tests.harness.report.outcomes import written
from voxgate.harness.ci.__main__ import main
from voxgate.harness.ci.nightly import Weight, findings, measure
from voxgate.harness.report.format import LIMIT

PROFILE = "jetson-agx-orin-maxn"
LOG = "https://github.com/o/r/actions/runs/9"
FIT = {"fit": True, "line": "fit to measure"}
UNFIT = {"fit": False, "line": "not fit to measure: gpu-clocks: ga10b not locked"}
Job = Callable[[dict[str, Any]], None]


def trend(state: str, reason: str = "+6.0 %", **more: str) -> dict[str, str]:
    row = {
        "suite": "smoke",
        "profile": PROFILE,
        "machine": "jetson-1",
        "cell": "nfe-8",
        "metric": "latency_p50",
    }
    return {**row, "state": state, "since": "2026-11-18", "reason": reason, **more}


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A night with nothing wrong."""
    folder = tmp_path / "night"
    folder.mkdir()
    put(
        folder,
        doctor=FIT,
        doctor_after=FIT,
        status=[trend("steady"), trend("better"), trend("too few")],
    )
    (folder / "check-smoke.json").write_text(written("pass"))
    return folder


def put(folder: Path, **documents: object) -> None:
    for name, document in documents.items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(document))


def found(night: Path) -> list[tuple[Weight, str]]:
    return [(finding.weight, finding.text) for finding in findings(night, ["smoke"], PROFILE)]


def test_a_good_night_has_no_findings(night: Path) -> None:
    assert found(night) == []


def test_a_machine_that_is_not_fit_is_no_data_and_nothing_else_is_expected_of_the_night(
    night: Path,
) -> None:
    (night / "check-smoke.json").unlink()
    put(night, doctor=UNFIT)
    text = (
        "the machine is not fit before measuring: not fit to measure: gpu-clocks: ga10b not locked"
    )
    assert found(night) == [(Weight.NO_DATA, text)]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("doctor.json", "", "the doctor did not answer"),
        ("doctor-after.json", json.dumps(UNFIT), "tonight's figures are doubtful"),
        ("doctor-after.json", "", "the doctor did not answer"),
        ("check-smoke.json", None, "smoke was not measured"),
        ("check-smoke.json", '{"cells": []}', "smoke was not measured"),
        ("status.json", "voxgate: broken", "the history did not answer"),
        ("status.json", None, "the history did not answer"),
    ],
)
def test_what_is_missing_is_no_data(night: Path, file: str, text: str | None, words: str) -> None:
    (night / file).unlink()
    if text is not None:
        (night / file).write_text(text)
    [(weight, told)] = found(night)
    assert (weight, words in told) == (Weight.NO_DATA, True), told


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("regressed-quality", "smoke nfe=8 REGRESSED: pesq -13.9 %"),
        ("not-in-effect", "smoke nfe=8 FAILED: not in effect"),
    ],
)
def test_a_cell_that_regressed_or_failed_is_an_alarm(night: Path, outcome: str, words: str) -> None:
    (night / "check-smoke.json").write_text(written(outcome))
    [(weight, told)] = found(night)
    assert (weight, told.startswith(words)) == (Weight.ALARM, True), told


def test_what_is_undecided_tonight_is_left_to_the_trend(night: Path) -> None:
    (night / "check-smoke.json").write_text(written("unresolved"))
    assert found(night) == []


def test_trends_of_this_night_s_suites_count_and_no_others(night: Path) -> None:
    mine = [trend("worse"), trend("over budget"), trend("no data")]
    put(night, status=[*mine, trend("worse", suite="other"), trend("worse", profile="cpu")])
    assert [weight for weight, _ in found(night)] == [Weight.ALARM, Weight.ALARM, Weight.NO_DATA]
    assert found(night)[0][1] == "smoke nfe-8 latency_p50 jetson-1 worse since 2026-11-18: +6.0 %"


def alert(night: Path) -> int:
    return main(["alert", "smoke", "--profile", PROFILE, "--folder", str(night), "--log", LOG])


def test_one_issue_is_opened_brought_up_to_date_and_closed(
    night: Path, fake: FakeGitHub, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job({})
    monkeypatch.setenv("VOXGATE_WEBHOOK", f"{fake.address}/webhook")
    assert alert(night) == 0
    assert (fake.issues, fake.posted) == ([], [])

    put(night, status=[trend("worse", "+6.0 % @all")])
    assert alert(night) == 1
    [issue] = fake.issues
    assert issue["title"] == f"voxgate nightly {PROFILE}: 1 alarm"
    assert (
        "- **alarm** smoke nfe-8 latency\\_p50 jetson-1 worse since 2026-11-18: +6.0 % @&#8203;all"
        in issue["body"]
    )
    assert (
        fake.posted[-1]["text"]
        == f"voxgate nightly {PROFILE}: 1 alarm (opened) https://github.com/o/r/issues/1"
    )

    put(night, status=[trend("worse", "+6.4 %")])
    assert alert(night) == 1
    assert "+6.4 %" in fake.issues[0]["body"]
    assert (len(fake.issues), len(fake.posted), fake.comments) == (1, 1, {})

    put(night, status=[trend("worse"), trend("over budget", metric="rtf")])
    assert alert(night) == 1
    assert "over budget" in fake.comments[1][-1]["body"]
    assert "latency" not in fake.comments[1][-1]["body"]
    assert [each["change"] for each in fake.posted] == ["opened", "changed"]

    put(night, status=[trend("over budget", metric="rtf")])
    assert alert(night) == 1
    assert (len(fake.comments[1]), fake.posted[-1]["change"]) == (1, "changed")

    put(night, status=[trend("steady")])
    assert alert(night) == 0
    assert fake.issues[0]["state"] == "closed"
    assert fake.comments[1][-1]["body"] == f"Nothing wrong tonight: [log]({LOG}).\n"
    assert fake.posted[-1]["change"] == "closed"

    put(night, doctor=UNFIT)
    assert alert(night) == 3
    assert [issue["state"] for issue in fake.issues] == ["closed", "open"]


def test_issues_of_people_and_of_other_profiles_are_left_alone(
    night: Path, fake: FakeGitHub, job: Job
) -> None:
    job({})
    marker = f"<!-- voxgate: night {PROFILE} -->"
    labelled: dict[str, Any] = {"state": "open", "labels": ["voxgate-nightly"], "html_url": "x"}
    person = {"number": 1, "user": {"login": "x", "type": "User"}, "body": marker, **labelled}
    other = {
        "number": 2,
        "user": {"type": "Bot"},
        "body": f"<!-- voxgate: night {PROFILE}-2 -->",
        **labelled,
    }
    fake.issues += [person, other]
    assert alert(night) == 0
    assert [issue["state"] for issue in fake.issues] == ["open", "open"]


def test_very_many_findings_keep_github_s_limit(night: Path, fake: FakeGitHub, job: Job) -> None:
    job({})
    put(night, status=[trend("worse", "@" * 1000, cell=f"c{n}") for n in range(3000)])
    assert alert(night) == 1
    body = fake.issues[0]["body"]
    rows = body.count("- **alarm**")
    assert len(body) <= LIMIT
    assert rows > 10
    assert f"and {3000 - rows} more; the log has them all" in body


@pytest.mark.parametrize(
    ("path", "words"),
    [("/nowhere", "the webhook answered 401"), ("", "does not begin with https://")],
    ids=["gone", "wrong"],
)
def test_a_webhook_that_fails_is_an_error_that_does_not_tell_its_address(
    night: Path,
    fake: FakeGitHub,
    job: Job,
    path: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job({})
    monkeypatch.setenv("VOXGATE_WEBHOOK", f"{fake.address}{path}" if path else "ftp://hidden")
    put(night, doctor=UNFIT)
    assert alert(night) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert fake.address not in said.err + said.out
    assert "hidden" not in said.err + said.out
    assert len(fake.issues) == 1


def test_every_suite_is_checked_whatever_becomes_of_the_others(tmp_path: Path) -> None:
    asked = []

    def answer(words: Sequence[str]) -> str:
        asked.append(list(words))
        return "" if words[1] == "broken" else written("pass")

    lines = measure(["broken", "smoke"], PROFILE, tmp_path / "night", answer)
    assert lines == ("broken: no answer; the log above says why", "smoke: PASS: 2 passed")
    assert asked == [
        ["check", suite, "--profile", PROFILE, "--json"] for suite in ("broken", "smoke")
    ]
    assert [path.name for path in (tmp_path / "night").iterdir()] == ["check-smoke.json"]


def test_measuring_calls_this_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["measure", "nothing", "--profile", "cpu", "--folder", "night"]) == 0
    out, err = capfd.readouterr()
    assert out == "nothing: no answer; the log above says why\n"
    assert "voxgate: unknown suite 'nothing'" in err
