"""
The composite actions: their shell steps run here, from a slower commit to the comment and to the
accepted baseline.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.conftest import environment
from tests.ci.fake_github import FakeGitHub
from tests.ci.fake_runner import ACTION, REPLY, Ran, Runner
from tests.ci.quick_voxgate import install
from tests.ci.test_acceptance import event as asking
from tests.ci.test_gating import RUN
from tests.ci.test_gating import event as gated
from tests.harness.report.outcomes import written
from tests.harness.repository import SUITE, Repository
from voxgate.harness.judging.baseline_file import parse

SHA = "a" * 40
INSTALL, DOCTOR = "Install voxgate", "Is this runner fit to measure on?"
CANDIDATE = "What would become the baseline, if this is accepted"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """An engine's repository: its last commit is slower."""
    made = Repository(tmp_path_factory.mktemp("repository") / "engine")
    made.write({"suites/two.py": SUITE % "[8]"})
    made.commit("one cell")
    made.commit("slower", slower=1.5, stage="vocoder")
    return made


def runner(project: Repository, temp: Path) -> Runner:
    """A runner with voxgate and the engine installed."""
    install(temp / "voxgate" / "bin")
    return Runner(cwd=project.folder, temp=temp, env={"PYTHONPATH": str(project.folder)})


def part(tmp_path: Path, *left_out: str) -> Path:
    """The action without some steps, which are tested on their own."""
    action = yaml.safe_load(ACTION.read_text())
    names = [step.get("name") for step in action["runs"]["steps"]]
    assert set(left_out) <= set(names)
    action["runs"]["steps"] = [
        step for step in action["runs"]["steps"] if step.get("name") not in left_out
    ]
    path = tmp_path / "action.yml"
    path.write_text(yaml.safe_dump(action, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def slower(project: Repository, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    temp = tmp_path_factory.mktemp("temp")
    inputs = {"suite": "two", "base": "HEAD^1", "profile": "cpu", "budget": "10"}
    return runner(project, temp).action(
        part(temp, INSTALL, DOCTOR), inputs
    ), temp / "voxgate-out-two"


def test_a_slower_commit_fails_the_gate_and_says_why(slower: tuple[Ran, Path]) -> None:
    ran, out = slower
    assert ran.code == 1, ran.log
    assert ran.outputs["compare"] == {
        "verdict": "REGRESSED",
        "exit-code": "1",
        "page": str(out / "run/index.html"),
    }
    assert ran.summary.startswith("<!-- voxgate: suite two -->\n\n### ❌ two, steps=8: 50 % slower")
    assert "vocoder +167 % is 100 % of it" in ran.summary
    assert "::error title=voxgate::REGRESSED: 1 regressed" in ran.log


def test_it_leaves_behind_page_judgement_junit_and_candidate(slower: tuple[Ran, Path]) -> None:
    ran, out = slower
    names = {name_of(each): each["path"].split() for each in ran.used if "path" in each}
    assert sorted(names) == [
        "voxgate-baseline-two",
        "voxgate-judgement-two",
        "voxgate-page-two.html",
        "voxgate-shifts-two.png",
        "voxgate-spectrograms-two.png",
    ]
    files = [Path(path) for paths in names.values() for path in paths]
    assert [path.name for path in files if not path.exists()] == ["voxgate-spectrograms-two.png"]
    assert json.loads((out / "judgement.json").read_text())["verdict"] == "REGRESSED"
    assert parse((out / "candidate/two/quality.json").read_text(), "q").why == "not accepted yet"
    assert sorted(path.name for path in (out / "candidate/two/golden").iterdir()) == [
        "r1.flac",
        "r2.flac",
    ]


def name_of(upload: dict[str, Any]) -> str:
    """Return the name of an artifact; a file that is uploaded as it is gives it its own."""
    return str(upload.get("name") or Path(upload["path"]).name)


def test_what_it_leaves_behind_becomes_the_comment_and_then_the_baseline(
    slower: tuple[Ran, Path], fake: FakeGitHub, tmp_path: Path
) -> None:
    _, out = slower
    fake.add_pull(sha=SHA)
    fake.writers, fake.branches["topic/x"], fake.runs[SHA] = {"ann"}, SHA, [RUN]
    fake.add_commit(SHA, {"README.md": b"read"})
    fake.add_artifact(
        RUN, "voxgate-judgement-two", {"judgement.json": (out / "judgement.json").read_bytes()}
    )
    files = [path for path in (out / "candidate").rglob("*") if path.is_file()]
    fake.add_artifact(
        RUN,
        "voxgate-baseline-two",
        {str(path.relative_to(out / "candidate")): path.read_bytes() for path in files},
    )

    told = reply(fake, tmp_path, "comment", gated())
    assert told.code == 0, told.log
    assert "**REGRESSED**: ❌ 1 regressed" in fake.comments[12][0]["body"]
    assert fake.statuses[SHA][-1]["state"] == "failure"

    done = reply(fake, tmp_path, "accept", asking("/voxgate accept two Worth $(touch pwned) it"))
    assert done.code == 0, done.log
    sha = fake.branches["topic/x"]
    kept = parse(fake.files_of(sha)["baselines/two/quality.json"].decode(), "q")
    assert kept.why == "Worth $(touch pwned) it (accepted by ann in #12)"
    assert fake.statuses[sha][-1]["state"] == "success"
    assert not (tmp_path / "pwned").exists()


def reply(fake: FakeGitHub, tmp_path: Path, job: str, event: dict[str, Any]) -> Ran:
    (tmp_path / "event.json").write_text(json.dumps(event))
    env = {**environment(fake), "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    return Runner(cwd=tmp_path, temp=tmp_path, env=env).action(REPLY, {"job": job})


@pytest.mark.parametrize(
    ("outcome", "code", "undecided", "ends", "steps"),
    [
        ("pass", 0, "warn", 0, ["Compare", "Verdict"]),
        ("improved", 0, "warn", 0, ["Compare", CANDIDATE, "Verdict"]),
        ("not-in-effect", 1, "warn", 1, ["Compare", "Verdict"]),
        ("unresolved", 3, "warn", 0, ["Compare", "Verdict"]),
        ("unresolved", 3, "fail", 3, ["Compare", "Verdict"]),
        ("incomparable", 3, "warn", 0, ["Compare", CANDIDATE, "Verdict"]),
    ],
)
def test_every_outcome_takes_its_steps_and_ends_as_it_should(
    project: Repository,
    tmp_path: Path,
    outcome: str,
    code: int,
    undecided: str,
    ends: int,
    steps: list[str],
) -> None:
    (tmp_path / "judgement.json").write_text(written(outcome))
    machine = runner(project, tmp_path)
    # a fake
    (tmp_path / "voxgate/bin/voxgate").write_text(
        f"#!/bin/sh\ncat {tmp_path}/judgement.json\nexit {code}\n"
    )
    ran = machine.action(part(tmp_path, INSTALL, DOCTOR), {"suite": "two", "undecided": undecided})
    assert (ran.code, ran.ran) == (ends, steps), ran.log
    assert ran.outputs["compare"]["exit-code"] == str(code)


def test_the_history_gets_head_s_run_where_there_is_one(
    project: Repository, tmp_path: Path
) -> None:
    (tmp_path / "judgement.json").write_text(written("pass"))
    machine = runner(project, tmp_path)
    fake = f'#!/bin/sh\necho "$@" $VOXGATE_HISTORY >&2\ncat {tmp_path}/judgement.json\n'
    (tmp_path / "voxgate/bin/voxgate").write_text(fake)
    ran = machine.action(
        part(tmp_path, INSTALL, DOCTOR), {"suite": "two", "history": "postgresql://h"}
    )
    assert "History" in ran.ran
    assert f"history import {tmp_path}/voxgate-out-two/run/head postgresql://h" in ran.log


HOSTILE = "$(touch pwned) `touch pwned` ; touch pwned --out=pwned x\ntouch pwned"


@pytest.mark.parametrize("name", ["suite", "base"])
def test_inputs_are_words_and_no_commands(project: Repository, tmp_path: Path, name: str) -> None:
    ran = runner(project, tmp_path).action(
        part(tmp_path, INSTALL, DOCTOR), {"suite": "two", "budget": "0", name: HOSTILE}
    )
    assert (ran.code, ran.outputs["compare"]["verdict"]) == (2, ""), ran.log
    assert "no verdict" in ran.summary
    assert not any(project.folder.rglob("pwned"))


def test_a_machine_that_is_not_fit_is_said_and_stops_nothing(
    project: Repository, tmp_path: Path
) -> None:
    rest = ("Compare", CANDIDATE, "Verdict")
    inputs = {"suite": "two", "profile": "jetson-orin-nano $(touch pwned)"}
    ran = runner(project, tmp_path).action(part(tmp_path, INSTALL, *rest), inputs)
    assert ran.code == 0
    assert "::notice::not a quiet machine" in ran.log
    assert not any(project.folder.rglob("pwned"))


def test_it_installs_voxgate_of_its_own_revision_and_what_the_engine_needs(tmp_path: Path) -> None:
    tools, made = tmp_path / "tools", tmp_path / "voxgate" / "bin" / "python"
    tools.mkdir()
    writes = f"mkdir -p {made.parent}; cp {tools}/pip {made}"
    for name, text in (("python", writes), ("pip", f'printf "%s\\n" "$@" > {tmp_path}/asked')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    rest = (DOCTOR, "Compare", CANDIDATE, "Verdict")
    machine = Runner(cwd=tmp_path, temp=tmp_path, env={"PATH": f"{tools}:/usr/bin:/bin"})
    done = machine.action(
        part(tmp_path, *rest), {"suite": "two", "extra-packages": "-e . torch>=2 $(touch pwned)"}
    )
    assert done.code == 0, done.log
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[:4] == ["-m", "pip", "install", "--disable-pip-version-check"]
    assert asked[4:-1] == [
        f"{tmp_path}/../../..[engine,panel]",
        "-e",
        ".",
        "torch>=2",
        "$(touch",
        "pwned)",
    ]
    assert not (tmp_path / "pwned").exists()
