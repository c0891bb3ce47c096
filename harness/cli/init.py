"""
The verb init: write a suite, a workload, a target stub, a policy and CI into any repository.

At most three questions are asked, and only at a terminal; options answer them beforehand.
"""

import re
import shlex
import sys
from pathlib import Path

import click

from voxgate.harness.cli.options import as_json
from voxgate.harness.cli.output import say, say_result
from voxgate.harness.scaffold.guess import CIS, ENGINES, STUB, Guess, guess, text_of, top_folder
from voxgate.harness.scaffold.render import (
    GITLAB,
    MODULE,
    Answers,
    Scaffold,
    render,
    write,
)
from voxgate.harness.suite.suite import FOLDER as SUITES

QUESTIONS = {
    "python": "Which import path? package.module:callable; empty for a placeholder",
    "command": "Which command line? {text} and {wav} stand for the text and the file to write",
    "http": "Which URL? a server of OpenAI's speech API",
}


@click.command()
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    help="How the engine is called: as a Python object, a command line, or a server.",
)
@click.option(
    "--call",
    metavar="TEXT",
    help="The import path (mytts.api:speak), the command ('mytts --text {text} --out {wav}'), "
    "or the server's URL.",
)
@click.option("--ci", type=click.Choice(CIS), help="The CI system to write a workflow for.")
@click.option("--name", help="Name of the suite; the project's name unless given.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what the repository suggests.")
@click.option("--force", is_flag=True, help="Replace files that exist already.")
@as_json
def init(
    engine: str | None,
    call: str | None,
    ci: str | None,
    name: str | None,
    yes: bool,
    force: bool,
    as_json: bool,
) -> int:
    """
    Write a first suite for the engine of this repository, and the CI that runs it.

    Run it once, at the top of your engine's repository. It writes a suite, its texts, a policy
    with every default, a CI workflow and, for a Python engine, the file that calls it. At a
    terminal it asks at most three questions; the options answer them beforehand. Files that exist
    are kept.

    \b
    Example: voxgate init --engine python --call mytts.api:speak --ci github
    """
    project = Path.cwd()
    found = guess(project)
    asking = not (yes or as_json) and sys.stdin.isatty()
    answers = _answers(found, asking, engine, call, ci, name)
    done = write(render(answers, project), project, force=force)
    steps = next_steps(answers, done, project)
    if not as_json:
        for word, names in (("wrote", done.written), ("unchanged", done.same), ("kept", done.kept)):
            for each in names:
                hint = " (exists already; --force replaces it)" if word == "kept" else ""
                click.echo(f"{word:<9} {each}{hint}")
        for step in steps[:-1]:
            say(f"voxgate: {step}")
    document = {
        "suite": answers.name,
        "written": done.written,
        "unchanged": done.same,
        "kept": done.kept,
        "next": steps,
    }
    say_result(as_json, document, steps[-1])
    return 0


def _answers(
    found: Guess,
    asking: bool,
    engine: str | None,
    call: str | None,
    ci: str | None,
    name: str | None,
) -> Answers:
    """Take each answer from its option, else from a person, else from the repository."""
    kind = engine or _ask("How is your engine called?", found.engine, asking, ENGINES)
    return Answers(
        name=name or found.name,
        engine=kind,
        call=(_ask(QUESTIONS[kind], found.calls[kind], asking) if call is None else call).strip(),
        ci=ci or _ask("Which CI?", found.ci, asking, CIS),
    )


def _ask(question: str, default: str, asking: bool, choices: tuple[str, ...] = ()) -> str:
    if not asking:
        return default
    kind = click.Choice(choices) if choices else None
    return str(click.prompt(question, default=default, type=kind, err=True))


def _names_a_file(command: str, project: Path) -> bool:
    """Whether a word of the command is a file of the project, or a module is run."""
    words = shlex.split(command)
    return "-m" in words or any("{" not in word and (project / word).is_file() for word in words)


def _other_engine(answers: Answers, done: Scaffold, project: Path) -> str:
    """Name the kept file that should call the engine and does not name it; empty if none."""
    name = f"{MODULE}.py" if answers.engine == "python" else f"{SUITES}/{answers.name}.py"
    words = {"python": re.findall(r"\w+", answers.call), "command": shlex.split(answers.call)}
    if name not in done.kept or not answers.call:
        return ""
    lines = text_of(project / name).splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return "" if all(word in text for word in words.get(answers.engine, [answers.call])) else name


def next_steps(answers: Answers, done: Scaffold, project: Path) -> tuple[str, ...]:
    """Return the sentences on what is left to do; the last one is the command to go on with."""
    steps = []
    if top_folder(project) is None:
        steps.append("this is no git repository; CI and `voxgate ab` need one: git init")
    if answers.engine == "python" and ":" not in answers.call and f"{MODULE}.py" not in done.kept:
        steps.append(f"{MODULE}.py speaks a placeholder tone; put your engine there")
    if replaced := _other_engine(answers, done, project):
        steps.append(f"{replaced} was kept, and calls no {answers.call}; edit it, or --force")
    if STUB in done.written:
        steps.append(f"{STUB} speaks by a synthesiser of this machine; put your engine there")
    elif answers.engine == "command" and not _names_a_file(answers.call, project):
        steps.append("CI compares revisions: name a file of this repository, such as ./mytts")
    kept = [name for name in done.kept if name.endswith(GITLAB)]
    if kept:
        steps.append(f"add to {kept[0]}: include: [{{local: .gitlab/voxgate-{answers.name}.yml}}]")
    if answers.engine == "http":
        steps.append(f"start the server first: {answers.call} must answer")
    return (*steps, f"next: voxgate check {answers.name}")
