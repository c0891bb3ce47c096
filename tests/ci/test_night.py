"""A night on one machine: what is recorded, what is an alarm, and who is told."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.ci.fake_github import FakeGitHub
from tests.harness.report.outcomes import written
from voxgate.harness.ci import webhook
from voxgate.harness.ci.__main__ import main
from voxgate.harness.ci.nightly import Weight, findings, measure
from voxgate.harness.machine.profiles import get_profile
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
        ("regressed-quality", "smoke nfe=8 REGRESSED: pesq -0.5 MOS-LQO"),
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


@pytest.fixture
def outside(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> FakeGitHub:
    """A machine of cron, GitLab or Gitea: nothing of GitHub, and a webhook."""
    for name in ("GITHUB_TOKEN", "GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VOXGATE_WEBHOOK", f"{fake.address}/webhook")
    monkeypatch.setattr(webhook, "WAITS_S", (0.0, 0.0))
    return fake


def alone(night: Path, *more: str) -> int:
    return main(["alert", "smoke", "--profile", PROFILE, "--folder", str(night), *more])


def test_a_webhook_alone_is_told_once_of_what_lasts(
    night: Path, outside: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ("--state", str(tmp_path / "runs" / "night.json"))
    assert (alone(night, *state), outside.posted) == (0, [])
    put(night, status=[trend("worse")])
    assert alone(night, *state) == 1
    [sent] = outside.posted
    assert sent["text"] == f"voxgate nightly {PROFILE}: 1 alarm (opened)"
    assert sent["findings"][0]["next_step"] == "voxgate history status"
    put(night, status=[trend("worse", "+6.4 %")])
    assert (alone(night, *state), len(outside.posted)) == (1, 1)
    put(night, status=[trend("worse"), trend("over budget")])
    assert (alone(night, *state), outside.posted[-1]["change"]) == (1, "changed")
    put(night, status=[])
    assert (alone(night, *state), outside.posted[-1]["change"]) == (0, "closed")
    assert (alone(night, *state), len(outside.posted)) == (0, 3)
    assert outside.issues == [] and "127.0.0.1" not in "".join(capsys.readouterr())


def test_without_a_state_every_bad_night_is_sent_and_without_a_webhook_the_code_tells(
    night: Path, outside: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(night, status=[trend("worse")])
    assert (alone(night), alone(night), len(outside.posted)) == (1, 1, 2)
    monkeypatch.delenv("VOXGATE_WEBHOOK")
    assert (alone(night), len(outside.posted)) == (1, 2)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 5000, '{"x": [1]}'])
def test_a_state_that_is_none_sends_everything_again(
    night: Path, outside: FakeGitHub, tmp_path: Path, text: str
) -> None:
    (tmp_path / "state").write_text(text)
    put(night, status=[trend("worse")])
    for _ in range(2):
        assert alone(night, "--state", str(tmp_path / "state")) == 1
    assert len(outside.posted) == 1


def test_a_webhook_that_fails_now_and_then_is_tried_again_and_what_was_not_sent_is_not_kept(
    night: Path, outside: FakeGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ("--state", str(tmp_path / "state"))
    put(night, status=[trend("worse")])
    outside.failing = [503, 429]
    assert (alone(night, *state), len(outside.posted)) == (1, 1)
    put(night, status=[trend("over budget")])
    outside.failing = [500, 500, 500]
    assert (alone(night, *state), len(outside.posted)) == (2, 1)
    assert "the webhook answered 500" in capsys.readouterr().err
    assert (alone(night, *state), len(outside.posted)) == (1, 2)
    put(night, status=[])
    outside.failing = [404]
    tries = len(outside.seen)
    assert (alone(night, *state), len(outside.seen)) == (2, tries + 1)


def test_a_webhook_that_leads_elsewhere_is_not_followed(
    night: Path, outside: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    put(night, status=[trend("worse")])
    outside.failing = [302]
    assert alone(night) == 2
    assert "the webhook answered 302" in capsys.readouterr().err
    assert [path for _, path, _ in outside.seen] == ["/webhook"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://127.0.0.1:1/T0/secret", "did not answer"),
        ("https://hidden:secret/x", "did not answer"),
        ("https://[secret/x", "has no address that can be called"),
        ("http://example.org/secret", "does not begin with https://"),
    ],
)
def test_no_error_tells_the_address(
    night: Path,
    outside: FakeGitHub,
    address: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VOXGATE_WEBHOOK", address)
    monkeypatch.setenv("VOXGATE_DEBUG", "1")
    put(night, status=[trend("worse")])
    assert alone(night) == 2
    said = "".join(capsys.readouterr())
    assert words in said and "secret" not in said.replace("correct the secret", ""), said


def test_slack_and_teams_get_their_own_form_and_no_markup_of_a_finding(
    night: Path, outside: FakeGitHub
) -> None:
    put(night, status=[trend("worse", "<!channel> [x](https://evil.example) & more")])
    for form in ("slack", "teams"):
        assert alone(night, "--webhook-form", form, "--log", "https://ci.example/9") == 1
    slack, teams = outside.posted
    assert list(slack) == ["text"]
    head, finding, step = slack["text"].split("\n")
    assert head == f"voxgate nightly {PROFILE}: 1 alarm (opened) https://ci.example/9"
    assert "&lt;!channel&gt;" in finding and "&amp; more" in finding
    assert step == "next: voxgate history status"
    [attachment] = teams["attachments"]
    card = attachment["content"]
    assert (teams["type"], card["type"]) == ("message", "AdaptiveCard")
    assert [block["type"] for block in card["body"]] == ["TextBlock"] * 3
    assert "\\[x\\]" in card["body"][1]["text"]


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://acme.webhook.office.com/webhookb2/x", "teams"),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://hooks.slack.com.evil.example/x", "json"),
        ("https://chat.example/hooks/x", "json"),
        ("https://[x", "json"),
    ],
)
def test_the_form_is_known_by_the_host(address: str, form: str) -> None:
    assert webhook._form_of(address) == form


def silent(count: int) -> list[dict[str, str]]:
    """What the status tells of a missed night: every series is without data."""
    rows = [
        trend(
            "no data", "no value for 1 night, since 2026-11-19: no run", suite=suite, cell=f"c{n}"
        )
        for suite in ("smoke", "options")
        for n in range(count // 2)
    ]
    return [{**row, "since": "2026-11-19"} for row in rows]


@pytest.mark.parametrize("what", ["unfit", "nothing ran", "nothing measured", "no files"])
def test_a_missed_night_is_two_lines(
    what: str, night: Path, outside: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    """One headline and one next step, however many series are silent."""
    for path in night.iterdir():
        path.unlink()
    put(night, **{"unfit": {"doctor": UNFIT}, "nothing measured": {"doctor": FIT}}.get(what, {}))
    if what == "nothing measured":
        put(night, doctor_after=FIT)
    if what != "no files":
        put(night, status=silent(104))
    words = ["alert", "smoke", "options", "--profile", PROFILE, "--folder", str(night)]
    assert main(words) == 3
    head, step = capsys.readouterr().out.splitlines()
    assert head.startswith("no data: ")
    assert step.startswith("1 without data; next: ") and "voxgate" in step


def test_series_without_data_are_one_finding_beside_a_night_that_was_measured(night: Path) -> None:
    put(night, status=[*silent(104), trend("worse")])
    rows = findings(night, ["smoke", "options"], PROFILE)
    assert [(each.weight, each.what.split()[0]) for each in rows] == [
        (Weight.NO_DATA, "options"),
        (Weight.ALARM, "smoke"),
        (Weight.NO_DATA, "series"),
    ]
    assert rows[-1].text == (
        f"smoke, options {PROFILE} jetson-1 104 series: no value for 1 night, since 2026-11-19: "
        "no run"
    )


def test_a_profile_file_s_trends_are_those_of_its_content(night: Path, outside: FakeGitHub) -> None:
    file = night.parent / "mine.toml"
    file.write_text('name = "mine"\nabout = "x"\nbase = "cpu"\n')
    name = get_profile(str(file)).name
    put(night, status=[trend("worse", profile=name), trend("worse", profile="mine.00000000")])
    words = ["alert", "smoke", "--profile", str(file), "--folder", str(night)]
    assert main(words) == 1
    assert outside.posted[-1]["text"] == "voxgate nightly mine: 1 alarm (opened)"


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
