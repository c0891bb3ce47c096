"""
Every workflow and action: checked by actionlint, shellcheck and zizmor, and by the rules that no
tool knows.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.fake_runner import ROOT, WORKFLOWS, read
from voxgate.harness.scaffold.render import Answers, render

FILES = sorted([*(ROOT / ".github").rglob("*.yml")])
ACTIONS = [path for path in FILES if path.name == "action.yml"]
FOR_STRANGERS = ("pull_request",)
"""Events that run a stranger's code."""
TRUSTED = ("workflow_run", "issue_comment")
"""Events that a stranger can cause, and that run code of the default branch with rights."""


def tool(name: str) -> str:
    """Find a program that came with the packages of the extra `ci`."""
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    if path is None:
        pytest.skip(f"there is no {name} for this machine; the extra `ci` has it on x86_64")
    return path


def run(*words: str) -> tuple[int, str]:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def lint(*files: Path) -> tuple[int, str]:
    return run(
        tool("actionlint"), "-no-color", f"-shellcheck={tool('shellcheck')}", *map(str, files)
    )


def test_workflows_pass_actionlint_and_shellcheck() -> None:
    assert lint(*sorted(WORKFLOWS.glob("*.yml"))) == (0, "")


def as_workflow(action: Path) -> str:
    """Return the steps of a composite action as a workflow, which actionlint can read."""
    document = read(action)
    inputs = {name: {"type": "string", "required": False} for name in document["inputs"]}
    job = {"runs-on": "ubuntu-24.04", "steps": document["runs"]["steps"]}
    return yaml.safe_dump(
        {"on": {"workflow_call": {"inputs": inputs}}, "permissions": {}, "jobs": {"steps": job}}
    )


@pytest.mark.parametrize("action", ACTIONS, ids=lambda path: path.parent.name)
def test_steps_of_actions_pass_actionlint_and_shellcheck(action: Path, tmp_path: Path) -> None:
    path = tmp_path / "workflow.yml"
    path.write_text(as_workflow(action))
    assert lint(path) == (0, "")


def test_the_linters_find_what_they_are_for(tmp_path: Path) -> None:
    action, path = tmp_path / "action.yml", tmp_path / "workflow.yml"
    text = ACTIONS[0].read_text()
    for old, new, found in (
        ('--out "$OUT/run"', "--out $OUT/run", "SC2086"),
        ("inputs.suite", "inputs.suit", '"suit" is not'),
    ):
        assert old in text
        action.write_text(text.replace(old, new))
        path.write_text(as_workflow(action))
        code, said = lint(path)
        assert (code, found in said) == (1, True), said


def test_workflows_and_actions_pass_zizmor() -> None:
    code, said = run(
        tool("zizmor"), "--offline", "--no-progress", "--min-severity=medium", ".github"
    )
    assert code == 0, said


CALLS = (
    ("python", "mytts:speak"),
    ("command", "sh speak.sh {text} {wav}"),
    ("command", "mytts --text {text} --out {wav}"),
    ("http", "http://127.0.0.1:8080"),
    ("http", "https://tts.example.org/a?b='c'"),
)


@pytest.mark.parametrize(
    "files",
    [
        (),
        (".venv/pyvenv.cfg",),
        (".venv/pyvenv.cfg", "pyproject.toml", "requirements.txt", "Dockerfile"),
    ],
)
@pytest.mark.parametrize(("engine", "call"), CALLS)
def test_a_workflow_that_init_writes_passes_the_linters_and_pins_as_ours_do(
    engine: str, call: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    answers = Answers(name="voice", engine=engine, call=call, ci="github")
    [(name, text)] = [each for each in render(answers, tmp_path).items() if "workflow" in each[0]]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert lint(path) == (0, "")
    code, said = run(
        tool("zizmor"), "--offline", "--no-progress", "--min-severity=low", str(tmp_path)
    )
    assert code == 0, said
    ours = "\n".join(each.read_text() for each in FILES)
    used = re.findall(r"uses: (\S+ # \S+)\n", text)
    assert len(used) == text.count("uses:") == 3
    assert [each for each in used if each not in ours] == []
    document = yaml.safe_load(text)
    assert document["permissions"] == {}
    [job] = document["jobs"].values()
    assert job["permissions"] == {"contents": "read"} and job["timeout-minutes"] <= 60
    assert "${{" not in "".join(step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize(
    ("below", "base", "code", "ends"),
    [
        ("", "none", 1, 0),  # the pull request that brings the gate
        ("", "suites/voice.py", 0, 0),
        ("", "suites/voice.py", 1, 1),
        ("", "suites/voice.py", 2, 2),
        ("tts", "tts/suites/voice.py", 3, 0),  # undecided: a warning
        ("tts", "suites/voice.py", 1, 0),
    ],
)
def test_the_step_that_init_writes_ends_as_voxgate_does(
    below: str, base: str, code: int, ends: int, tmp_path: Path
) -> None:
    top, programs = tmp_path / "top", tmp_path / "bin"
    programs.mkdir()
    (programs / "voxgate").write_text(f"#!/bin/sh\nexit {code}\n")
    (programs / "voxgate").chmod(0o755)
    (top / base).parent.mkdir(parents=True)
    (top / base).touch()
    (top / below).mkdir(exist_ok=True)
    git = ("git", "-C", str(top), "-c", "user.name=A", "-c", "user.email=a@b.c")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "base"],
                  ["commit", "-qm", "head", "--allow-empty"]):  # fmt: skip
        assert run(*git, *words)[0] == 0
    answers = Answers(name="voice", engine="python", call="", ci="github")
    files = render(answers, top / below)
    [text] = [text for name, text in files.items() if "workflow" in name]
    [script] = [step["run"] for step in yaml.safe_load(text)["jobs"]["gate"]["steps"]
                if step.get("name") == "Compare"]  # fmt: skip
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=top / below,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ends, done
    assert ("undecided" in done.stdout or "could not be decided" in done.stdout) == (code == 3)


@pytest.mark.parametrize(("engine", "call"), CALLS)
def test_a_gitlab_job_that_init_writes_is_yaml_whose_script_passes_shellcheck(
    engine: str, call: str, tmp_path: Path
) -> None:
    answers = Answers(name="voice", engine=engine, call=call, ci="gitlab")
    files = render(answers, tmp_path)
    document = yaml.safe_load(files[".gitlab/voxgate-voice.yml"])
    include = yaml.safe_load(files[".gitlab-ci.yml"])
    assert include == {"include": [{"local": ".gitlab/voxgate-voice.yml"}]}
    [job] = document.values()
    assert job["allow_failure"] == {"exit_codes": [3]}
    script = tmp_path / "script.sh"
    script.write_text("\n".join(["#!/bin/sh", *job["script"], ""]))
    assert run(tool("shellcheck"), str(script)) == (0, "")


def steps() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in FILES:
        document = read(path)
        several = (
            [document["runs"]["steps"]]
            if "runs" in document
            else [job["steps"] for job in document["jobs"].values()]
        )
        yield from ((path, step) for some in several for step in some)


def test_no_expression_stands_in_a_script() -> None:
    assert [(path.name, step) for path, step in steps() if "${{" in step.get("run", "")] == []


def test_every_action_is_pinned_and_one_hash_has_one_version() -> None:
    versions: dict[str, set[str]] = {}
    for path in FILES:
        for used, comment in re.findall(r"^[ -]+uses: (\S+)(.*)", path.read_text(), re.MULTILINE):
            if used.startswith("./"):
                assert (ROOT / used / "action.yml").is_file(), used
                continue
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", used), used
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), (used, comment)
            versions.setdefault(used.partition("@")[0], set()).add(used + comment)
    assert [version for version in versions.values() if len(version) > 1] == []


def workflows() -> Iterator[tuple[Path, dict[str, Any], set[str]]]:
    for path in sorted(WORKFLOWS.glob("*.yml")):
        document = read(path)
        yield path, document, set(document["on"])


def test_every_job_says_what_it_may_and_when_it_ends() -> None:
    for path, document, _ in workflows():
        assert document["permissions"] == {}, path
        for job in document["jobs"].values():
            assert "permissions" in job, path
            assert job["timeout-minutes"] <= 480, path


def test_what_runs_a_stranger_s_code_has_no_secret_and_may_not_write() -> None:
    found = [
        (path, document) for path, document, events in workflows() if events & set(FOR_STRANGERS)
    ]
    assert {path.name for path, _ in found} == {"ci.yml", "pr-gate.yml"}
    for path, document in found:
        assert "secrets." not in path.read_text(), path
        for job in document["jobs"].values():
            assert job["permissions"] == {"contents": "read"}, path
            assert "self-hosted" not in str(job["runs-on"]), path


def test_what_may_publish_a_site_runs_nothing_but_the_publishing() -> None:
    found = {
        (path.name, name): job
        for path, document, _ in workflows()
        for name, job in document["jobs"].items()
        if "pages" in job["permissions"]
    }
    assert set(found) == {("demo-site.yml", "publish"), ("nightly-jetson.yml", "publish")}
    for job in found.values():
        assert job["permissions"] == {"pages": "write", "id-token": "write"}
        [step] = job["steps"]
        assert step["uses"].startswith("actions/deploy-pages@")


def test_what_may_write_checks_out_the_default_branch_and_installs_nothing() -> None:
    found = [(path, document) for path, document, events in workflows() if events & set(TRUSTED)]
    assert {path.name for path, _ in found} == {"accept.yml", "pr-gate-comment.yml"}
    for path, document in found:
        [job] = document["jobs"].values()
        checkout, reply = job["steps"]
        assert checkout["with"] == {"persist-credentials": False}, path
        assert reply["uses"] == "./.github/actions/voxgate-reply", path
    said = (ROOT / ".github/actions/voxgate-reply/action.yml").read_text()
    assert not re.search(r"\bpip\b|npm|curl|uses:", said)


def test_no_event_runs_a_stranger_s_code_with_rights() -> None:
    assert [path.name for path, _, events in workflows() if "pull_request_target" in events] == []


def test_our_own_machine_is_for_our_own_code() -> None:
    for path, document, events in workflows():
        if any("self-hosted" in str(job["runs-on"]) for job in document["jobs"].values()):
            assert events == {"schedule", "workflow_dispatch"}, path


def test_the_comment_follows_the_gate_by_its_name() -> None:
    follows = read(WORKFLOWS / "pr-gate-comment.yml")["on"]["workflow_run"]["workflows"]
    assert follows == [read(WORKFLOWS / "pr-gate.yml")["name"]]


def test_jobs_with_rights_stand_in_a_queue_only_when_they_run() -> None:
    """
    Concurrency of the workflow would be taken by any comment, and drop an acceptance that waits for
    its turn.
    """
    for name in ("accept.yml", "pr-gate-comment.yml"):
        document = read(WORKFLOWS / name)
        assert "concurrency" not in document, name
        assert all(
            "if" in job and "group" in job["concurrency"] for job in document["jobs"].values()
        ), name


def test_what_a_suite_leaves_behind_carries_its_name() -> None:
    action = read(ROOT / ".github/actions/voxgate/action.yml")
    uploads = [
        step["with"]
        for step in action["runs"]["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    assert len(uploads) == 5
    whole = [each for each in uploads if each.get("archive") is False]
    assert [Path(each["path"]).name for each in whole] == [
        f"voxgate-{name}-${{{{ inputs.suite }}}}.{kind}"
        for name, kind in (("page", "html"), ("shifts", "png"), ("spectrograms", "png"))
    ]
    assert not any("name" in each for each in whole), "it would be ignored"
    for artifact in uploads:
        assert artifact in whole or artifact["name"].endswith("-${{ inputs.suite }}")
        assert "-${{ inputs.suite }}/" in artifact["path"]


def test_ci_runs_what_a_person_runs() -> None:
    job = read(WORKFLOWS / "ci.yml")["jobs"]["test"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.13", "3.14"]
