"""
The nightly workflow: its shell steps run here, with a fake voxgate on a board that is fit, or not.
"""

import json
from pathlib import Path

import pytest

from tests.ci.conftest import environment
from tests.ci.fake_github import FakeGitHub
from tests.ci.fake_runner import ROOT, Ran, Runner
from tests.ci.quick_voxgate import install
from tests.harness.report.outcomes import written

PROFILE = "jetson-agx-orin-maxn"
SECRETS = {"secrets.VOXGATE_WEBHOOK": ""}
CONTEXT = {
    "github.server_url": "https://github.com",
    "github.repository": "o/r",
    "github.run_id": "9",
    **SECRETS,
}
FAKE = """#!/bin/sh
echo "$@" >> asked
case "$1 $2" in
  "doctor --profile") cat doctor.json; test -e fit ;;
  "check broken") echo no answer; exit 2 ;;
  "check $2") cat judgement.json; exit 1 ;;
  "history status") cat status.json ;;
  "report --site") mkdir -p "$4"; echo page > "$4/index.html" ;;
  *) exit 9 ;;
esac
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A checkout on a board that is fit, with everything installed."""
    cwd = tmp_path / "checkout"
    tools = install(cwd / ".venv" / "bin")
    (tools / "voxgate").write_text(FAKE)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "make").write_text(f'#!/bin/sh\necho "make $@" >> {cwd}/asked\n')
    (tmp_path / "tools" / "make").chmod(0o755)
    installer = cwd / "docs" / "examples" / "jetson" / "install.sh"
    installer.parent.mkdir(parents=True)
    installer.write_text((ROOT / installer.relative_to(cwd)).read_text())
    put(
        cwd,
        doctor={"fit": True, "line": "fit to measure"},
        status=[],
        judgement=json.loads(written("pass")),
    )
    (cwd / "fit").touch()
    return cwd


def put(cwd: Path, **documents: object) -> None:
    for name, document in documents.items():
        (cwd / f"{name}.json").write_text(json.dumps(document))


def night(board: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, **variables: str) -> Ran:
    """
    Run the job. `voxgate.harness.ci measure` asks the real voxgate, so here it is told to ask the
    fake.
    """
    shim = board.parent / "shim"
    shim.mkdir(exist_ok=True)
    (shim / "sitecustomize.py").write_text(
        "import subprocess, sys\n"
        "run = subprocess.run\n"
        "def ask(command, **more):\n"
        "    return run(['.venv/bin/voxgate', *command[3:]] if command[1:3] == ['-m', 'voxgate'] "
        "else command, **more)\n"
        "subprocess.run = ask\n"
    )
    env = {
        **environment(fake),
        "PYTHONPATH": str(shim),
        "PATH": f"{board.parent / 'tools'}:/usr/bin:/bin",
    }
    context = {**CONTEXT, **{f"vars.{name}": value for name, value in variables.items()}}
    return Runner(cwd=board, temp=board.parent, env=env).job("nightly-jetson.yml", "night", context)


def asked(board: Path) -> list[str]:
    return (board / "asked").read_text().splitlines()


def test_a_fit_board_measures_all_suites_and_publishes(
    board: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = night(board, fake, monkeypatch)
    assert ran.code == 0, ran.log
    assert asked(board) == [
        "make install CONSTRAINTS=",
        f"doctor --profile {PROFILE}",
        f"doctor --profile {PROFILE} --json",
        f"check smoke --profile {PROFILE} --json",
        f"check options --profile {PROFILE} --json",
        f"doctor --profile {PROFILE} --json",
        "history status --json",
        "report --site --out site",
    ]
    assert [each["uses"].partition("@")[0] for each in ran.used] == [
        "actions/checkout",
        "actions/upload-pages-artifact",
        "actions/upload-artifact",
    ]
    assert sorted(path.name for path in (board / "night").iterdir()) == [
        "check-options.json",
        "check-smoke.json",
        "doctor-after.json",
        "doctor.json",
        "status.json",
    ]
    assert fake.issues == []


def test_a_board_that_is_not_fit_measures_nothing_and_that_is_no_pass(
    board: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    (board / "fit").unlink()
    put(board, doctor={"fit": False, "line": "not fit: gpu-clocks not locked"})
    ran = night(board, fake, monkeypatch)
    assert ran.code == 3, ran.log
    assert not any(line.startswith("check") for line in asked(board))
    [issue] = fake.issues
    assert (
        "**no data** the machine is not fit before measuring: not fit: gpu-clocks not locked"
        in issue["body"]
    )
    assert "https://github.com/o/r/actions/runs/9" in issue["body"]


def test_a_suite_that_answers_nothing_and_one_that_regressed_are_both_told(
    board: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(board, judgement=json.loads(written("regressed-quality")))
    ran = night(
        board, fake, monkeypatch, VOXGATE_SUITES="broken smoke", VOXGATE_PROFILE="jetson-orin-nano"
    )
    assert ran.code == 1, ran.log
    [issue] = fake.issues
    assert issue["title"] == "voxgate nightly jetson-orin-nano: 1 alarm, 1 without data"
    assert "check smoke --profile jetson-orin-nano --json" in asked(board)


def test_a_history_that_does_not_answer_and_a_site_that_fails_stop_no_alarm(
    board: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    (board / "status.json").unlink()
    tool = board / ".venv" / "bin" / "voxgate"
    tool.write_text(
        tool.read_text().replace('mkdir -p "$4"; echo page > "$4/index.html"', "exit 2")
    )
    ran = night(board, fake, monkeypatch)
    assert ran.code == 3, ran.log
    assert "the history did not answer" in fake.issues[0]["body"]
    assert "actions/upload-pages-artifact" not in str(ran.used)


def test_runs_older_than_a_month_make_room_and_nothing_else_does(
    board: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    for name in ("0001", "0002", "selftest"):
        (board / "runs" / name).mkdir(parents=True)
    (board / "runs" / "history.sqlite").touch()
    for name in ("0001", "selftest", "history.sqlite"):
        os.utime(board / "runs" / name, (0, 0))
    night(board, fake, monkeypatch)
    assert sorted(path.name for path in (board / "runs").iterdir()) == [
        "0002",
        "history.sqlite",
        "selftest",
    ]
