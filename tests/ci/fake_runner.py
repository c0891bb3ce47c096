"""
A fake of GitHub's runner: it runs the shell steps of a job or of a composite action in order, as
the real one does.

It honours `if`, `continue-on-error`, `env`, `working-directory`, `id`, outputs and outcomes. Steps
with `uses` are not run: they are recorded with what they were given. It evaluates only the
expressions that our files use; another is an error.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.ci import fake_github

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github/actions/voxgate/action.yml"
REPLY = ROOT / ".github/actions/voxgate-reply/action.yml"
WORKFLOWS = ROOT / ".github/workflows"
TOKEN = {"github.token": fake_github.TOKEN}


@dataclass
class Ran:
    """What became of the steps."""

    code: int = 0
    """Of the first step that failed, as the job's; 0 if none did."""
    log: str = ""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    """Names of the shell steps that were run."""
    used: list[dict[str, Any]] = field(default_factory=list)
    """Steps with `uses`, their inputs evaluated."""
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A machine that runs steps."""

    cwd: Path
    temp: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def action(self, path: Path, inputs: Mapping[str, str]) -> Ran:
        """Run a composite action."""
        action = read(path)
        defaults = {
            name: evaluated(str(each.get("default", "")), TOKEN)
            for name, each in action["inputs"].items()
        }
        given = defaults | dict(inputs)
        missing = [
            name
            for name, each in action["inputs"].items()
            if each.get("required") and name not in inputs
        ]
        assert missing == []
        assert set(given) == set(action["inputs"])
        context = {f"inputs.{name}": value for name, value in given.items()} | {
            "github.action_path": str(path.parent)
        }
        return self.steps(
            action["runs"]["steps"], context, {"GITHUB_ACTION_PATH": str(path.parent)}
        )

    def job(self, workflow: str, job: str, context: Mapping[str, str]) -> Ran:
        """Run the shell steps of a workflow's job."""
        document = read(WORKFLOWS / workflow)
        values = {
            name: evaluated(str(value), context) for name, value in document.get("env", {}).items()
        }
        return self.steps(document["jobs"][job]["steps"], context, values)

    def steps(
        self, steps: list[dict[str, Any]], context: Mapping[str, str], env: Mapping[str, str]
    ) -> Ran:
        ran, known = Ran(), {"runner.temp": str(self.temp), **TOKEN, **context}
        for step in steps:
            if holds(step.get("if", ""), known, failed=ran.code != 0):
                self.step(step, known, env, ran)
        return ran

    def step(
        self, step: dict[str, Any], known: dict[str, str], env: Mapping[str, str], ran: Ran
    ) -> None:
        if "uses" in step:
            ran.used.append(
                {
                    "uses": step["uses"],
                    **{k: evaluated(str(v), known) for k, v in step.get("with", {}).items()},
                }
            )
            known[f"steps.{step.get('id', '')}.outcome"] = "success"
            return
        assert "${{" not in step["run"], (
            "expressions in a script are how strangers' texts become commands"
        )
        ran.ran.append(step.get("name", step["run"]))
        values = {name: evaluated(str(value), known) for name, value in step.get("env", {}).items()}
        cwd = self.cwd / evaluated(step.get("working-directory", "."), known)
        code, said, outputs = self.shell(step["run"], cwd, {**env, **values}, ran)
        ran.log += said
        outcome = "failure" if code else "success"
        known |= {
            f"steps.{step.get('id', '')}.outputs.{name}": value for name, value in outputs.items()
        }
        known[f"steps.{step.get('id', '')}.outcome"] = outcome
        ran.outputs[step.get("id", "")], ran.outcomes[step.get("name", "")] = outputs, outcome
        if code and not step.get("continue-on-error"):
            ran.code = ran.code or code

    def shell(
        self, script: str, cwd: Path, env: Mapping[str, str], ran: Ran
    ) -> tuple[int, str, dict[str, str]]:
        files = {
            name: self.temp / name
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")
        }
        for path in files.values():
            path.write_text("")
        whole = {
            **clean(),
            **self.env,
            **env,
            **{n: str(p) for n, p in files.items()},
            "RUNNER_TEMP": str(self.temp),
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        done = subprocess.run(
            command,
            cwd=cwd,
            env=whole,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        ran.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        return done.returncode, done.stdout, dict(line.split("=", 1) for line in lines)


def read(path: Path) -> dict[str, Any]:
    """Read a workflow or an action; YAML takes the key `on` for a truth."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def clean() -> dict[str, str]:
    """
    The environment of this process without what it knows of a job, and with this Python's programs
    first.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GITHUB_", "VOXGATE_", "RUNNER_"))
    }
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}


def evaluated(text: str, known: Mapping[str, str]) -> str:
    """Replace the expressions in a text."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(value(found[1], known)), text)


def holds(condition: str, known: Mapping[str, str], *, failed: bool) -> bool:
    """
    Evaluate a step's `if`; without a word on failures, a step is run only if none failed before.
    """
    inner = condition.strip().removeprefix("${{").removesuffix("}}").strip()
    asks = re.search(r"\b(always|cancelled|failure)\(\)", inner) is not None
    return (asks or not failed) and (not inner or bool(value(inner, known)))


def value(expression: str, known: Mapping[str, str]) -> Any:
    """Evaluate one expression: names, texts, ==, !=, &&, ||, !, contains, fromJSON."""
    words = re.findall(r"'[^']*'|&&|\|\||==|!=|!|[(),]|[A-Za-z_][\w.-]*", expression)
    assert "".join(words) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", expression), (
        f"{expression} is not understood"
    )
    python = {
        "&&": " and ",
        "||": " or ",
        "!": " not ",
        "==": "==",
        "!=": "!=",
        "(": "(",
        ")": ")",
        ",": ",",
    }
    functions = {
        "contains": lambda inside, item: item in inside,
        "fromJSON": json.loads,
        "cancelled": lambda: False,
    }
    pieces = []
    for word in words:
        name = word in functions
        pieces.append(
            python.get(word)
            or (word if name or word.startswith("'") else repr(looked_up(word, known)))
        )
    # our own files
    return eval("".join(pieces), {"__builtins__": {}}, {**functions, "always": lambda: True})


def looked_up(name: str, known: Mapping[str, str]) -> str:
    """
    Return the value of a name; the outputs of a step that was not run, and unset variables, are
    empty.
    """
    if name.startswith(("steps.", "vars.")):
        return known.get(name, "")
    return known[name]
