"""
Render the files of a new suite from the templates of this folder, and write those that are absent.

What a person typed is checked first, and is quoted wherever it lands: it becomes Python, TOML and
YAML. Nothing of the project is overwritten unless asked for.
"""

import json
import keyword
import re
import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.judging.policy import DEFAULT, FILE
from voxgate.harness.records.cell import NAME
from voxgate.harness.records.command_line import command_line
from voxgate.harness.records.files import inside, write_file
from voxgate.harness.scaffold.guess import (
    SPEAKERS,
    STUB,
    STUB_CALL,
    installed_speaker,
    own_environment,
    top_folder,
)
from voxgate.harness.suite.suite import FOLDER as SUITES
from voxgate.harness.suite.workload import load_workload

MODULE = "voxgate_target"
"""Of the target stub: a name that no project has, and no package of ours."""
SENTENCES = "plain"
"""The workload that a new one begins as."""
IGNORED = "# Each run writes here; none of it belongs into the repository.\n*\n!.gitignore\n"
GITLAB = ".gitlab-ci.yml"
URL = re.compile(r"[\w.~:/?@!&'()*+,;=%\[\]-]+", re.ASCII)
"""Characters of a URL; braces and dollars mean something to CI systems."""
LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How the engine is called, and where changes are tested."""

    name: str
    engine: str
    call: str
    ci: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """Files that were written, files of the same text, and files that are somebody's and stay."""

    written: tuple[str, ...]
    same: tuple[str, ...]
    kept: tuple[str, ...]


def check_answers(answers: Answers) -> None:
    """Raise HarnessError for a name, import path, command or URL that cannot be meant."""
    if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]*", answers.name) or NAME.fault(answers.name):
        raise HarnessError(
            f"--name {answers.name!r} cannot name a suite; use lower-case letters, digits, _ and - "
            "(at most 100)"
        )
    {"python": _check_path, "command": _check_command, "http": _check_url}[answers.engine](
        answers.call
    )


def _check_path(path: str) -> None:
    """Check an import path; empty where there is no engine yet."""
    parts = path.replace(":", ".", 1).split(".") if path else []
    if any(not part.isidentifier() or keyword.iskeyword(part) for part in parts):
        raise HarnessError(
            f"--call {path!r} is no import path; write package.module:callable, "
            "e.g. mytts.api:speak"
        )


def _check_command(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise HarnessError(f"--call {command!r} is no command: {error}; close the quote") from error
    if not words or "\0" in command:
        raise HarnessError(
            "--call is empty; write the command, e.g. 'mytts --text {text} --out {wav}'"
        )
    line = command_line(words, {}, "once")
    line.check({}, [{}])


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_valid = urlsplit(""), False
    known = parts.scheme in ("http", "https") and parts.hostname and port_is_valid
    if not known or not URL.fullmatch(url):
        raise HarnessError(f"--call {url!r} is no URL; write e.g. http://127.0.0.1:8080")
    if parts.username or parts.password:
        raise HarnessError(
            "--call holds a user or a password, which would be committed; leave it out and set "
            "VOXGATE_HTTP_KEY"
        )


def render(answers: Answers, project: Path) -> dict[str, str]:
    """Return the files by their path below the project's folder. Raises HarnessError."""
    check_answers(answers)
    templates, facts = _templates(), _facts(answers, project)

    def text(template: str) -> str:
        return templates.get_template(f"{template}.j2").render(facts)

    files = {
        f"{SUITES}/{answers.name}.py": text("suite.py"),
        f"workloads/{answers.name}.toml": text("workload.toml"),
        f"{BASELINES}/{FILE}": _policy(text("policy.toml")),
    }
    if answers.engine == "python":
        files[f"{MODULE}.py"] = text("target.py")
    elif answers.call == STUB_CALL:
        files[STUB] = text("speak.sh")
    up = "../" * len(Path(str(facts["below"])).parts)  # CI belongs to the top of the repository
    if answers.ci == "github":
        files[f"{up}.github/workflows/voxgate-{answers.name}.yml"] = text("github.yml")
    elif answers.ci == "gitlab":
        files[f"{up}.gitlab/voxgate-{answers.name}.yml"] = text("gitlab.yml")
        files[f"{up}{GITLAB}"] = text("gitlab-ci.yml")
    return files | dict.fromkeys(("runs/.gitignore", "reports/.gitignore"), IGNORED)


def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        variable_start_string="[[",
        variable_end_string="]]",
    )
    # JSON's texts and lists are Python's, TOML's and YAML's too
    made.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)
    made.filters["shell"] = shlex.quote
    return made


def _facts(answers: Answers, project: Path) -> dict[str, object]:
    module, _, attribute = answers.call.partition(":")
    top, speaker = top_folder(project), installed_speaker()
    words = shlex.split(answers.call) if answers.engine == "command" else []
    url = urlsplit(answers.call) if answers.engine == "http" else None
    return {
        "name": answers.name,
        "engine": answers.engine,
        "call": answers.call,
        "words": words,
        "package": speaker if answers.call == STUB_CALL else _package(words),
        "speak": SPEAKERS[speaker],
        "environment": own_environment(project) if answers.engine == "python" else "",
        "module": module,
        "attribute": attribute,
        "target": MODULE,
        "local": url is not None and url.hostname in LOCAL,
        "image": (project / "Dockerfile").is_file(),
        "port": url.port if url is not None and url.port else 80,
        "requests": load_workload(SENTENCES).requests,
        "requirement": requirement(answers.engine),
        "below": "" if top is None else _below(project, top),
        "installable": any((project / name).is_file() for name in ("pyproject.toml", "setup.py")),
        "requirements": (project / "requirements.txt").is_file(),
    }


def _package(words: list[str]) -> str:
    """Return the Debian package of a synthesiser that the command starts; empty for others."""
    return next((name for name in SPEAKERS if words[:1] == [name]), "")


def _below(project: Path, top: Path) -> str:
    """Return the project's folder below the top of its repository; empty where it is the top."""
    path = project.resolve()
    found = path.relative_to(top.resolve()).as_posix()
    if not re.fullmatch(r"[\w./ -]*", found):
        raise HarnessError(
            f"the folder {found!r} cannot stand in a CI file; rename it, or --ci none"
        )
    return "" if found == "." else found


def _policy(head: str) -> str:
    """Return the default policy, every line of it as a comment, after a head."""
    _, _, lines = DEFAULT.read_text(encoding="utf-8").partition("[metrics]\n")
    commented = (
        line if not line or line.startswith("#") else f"# {line}" for line in lines.splitlines()
    )
    return f"{head}{chr(10).join(commented)}\n"


def requirement(engine: str) -> str:
    """
    Return the requirement by which CI installs this voxgate: its commit, where it was installed
    from a public repository, else its version.
    """
    extra = "[http]" if engine == "http" else ""
    try:
        found = distribution("voxgate")
    except PackageNotFoundError:
        return f"voxgate{extra}"
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        origin = {}
    url, commit = str(origin.get("url")), origin.get("vcs_info", {}).get("commit_id", "")
    if re.fullmatch(r"https://[\w./~-]+", url) and re.fullmatch(r"[0-9a-f]{40,64}", str(commit)):
        return f"voxgate{extra} @ git+{url}@{commit}"
    return f"voxgate{extra}=={found.version}"


def write(files: dict[str, str], project: Path, *, force: bool) -> Scaffold:
    """
    Write the files that are absent; with `force`, replace others. Raises HarnessError for a place
    outside of the repository, and where one cannot be written.
    """
    root = top_folder(project) or project
    written, same, kept = [], [], []
    for name, text in files.items():
        path = inside(root, (project / name).absolute())
        found = _current(path)
        if found == text:
            same.append(name)
        elif found is not None and not force:
            kept.append(name)
        else:
            write_file(
                path, text, "make the folder writable, or remove what stands there", parents=True
            )
            written.append(name)
    return Scaffold(written=tuple(written), same=tuple(same), kept=tuple(kept))


def _current(path: Path) -> str | None:
    """Return a file's text; None where nothing is there, and "" for what is no text."""
    if not path.exists() and not path.is_symlink():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
