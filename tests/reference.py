"""
Write docs/reference/ and the drawings of docs/architecture.md anew from the code: `make reference`.

tests/test_docs.py fails where a page differs from its text here.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

import voxgate
from voxgate.engine.config.page import options_markdown
from voxgate.harness.cli.main import cli
from voxgate.harness.judging.policy import DEFAULT
from voxgate.harness.metrics.metric import MetricSpec
from voxgate.harness.metrics.registry import FAMILIES, entries, needs_asr
from voxgate.harness.records.documents import parse_toml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTE = "Written from the code by `make reference`; change the code, not this page.\n"
WIDTH = 96
"""Columns of the help texts."""
DRAWING = re.compile(r"<!-- drawing: (\w+) -->\n.*?<!-- end of drawing -->\n", re.DOTALL)


def pages() -> dict[str, str]:
    """Return the text of every generated page, by its path below docs/."""
    return {name: write() for name, write in PAGES.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def metrics_page() -> str:
    """Return the page of all metrics: names, units, directions, needs and versions."""
    policy = _policy()
    text = f"# Metrics\n\n{NOTE}\n"
    text += (
        "What each metric can and cannot see, and when it is Missing: [metrics](../metrics.md).\n"
        "Limits: [policy](policy.md).\n\n"
        "*needs*: what the run must provide beside the audio.\n"
        "*version*: raised when the same input would give another number.\n"
        "*blocks*: a change beyond the limit makes the cell REGRESSED; `worst`: only that of one "
        "utterance does.\n"
    )
    for family, specs in _families().items():
        text += f"\n## {family[0].upper()}{family[1:]}\n\n"
        head = ("metric", "unit", "better", "needs", "version", "package", "blocks")
        text += table(head, [_metric_row(spec, policy) for spec in specs])
    return text + (
        "\n## Prefixes\n\n"
        "Every metric that needs a reference is also read against the golden audio, as "
        "`golden_NAME`.\n"
        'With `conditions=["telephone"]` in a suite, every metric of audio is read once more as '
        "`phone_NAME`.\n"
    )


def _families() -> dict[str, list[MetricSpec]]:
    own = {"speed", *FAMILIES.values()}
    found: dict[str, list[MetricSpec]] = {}
    for spec in entries().values():
        if spec.family in own and not spec.golden and spec.condition is None:
            found.setdefault(spec.family, []).append(spec)
    return found


def _metric_row(spec: MetricSpec, policy: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    need = "a recogniser" if needs_asr(spec.name) else ""
    need = need if spec.source is None else spec.source.need.value
    blocks = _word(policy.get(spec.name, {}).get("blocking", ""))
    metric = spec.metric
    return (
        f"`{spec.name}`",
        metric.unit,
        metric.better,
        "" if need == "nothing" else need,
        metric.version,
        spec.package,
        blocks,
    )


def _policy() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = parse_toml(DEFAULT.read_text())["metrics"]
    return found


def policy_page() -> str:
    """Return the page of the default policy: a line per metric."""
    lines = DEFAULT.read_text().splitlines()
    head = [line.removeprefix("#") for line in lines[: lines.index("")]]
    text = f"# Policy\n\n{NOTE}\n"
    text += (
        "These are the limits of [harness/policy.toml](../../harness/policy.toml), "
        "which also holds the reason of each.\n"
        "A line in your `baselines/policy.toml` replaces a line of it.\n"
        "How a limit becomes a verdict: [how verdicts are made](../how-verdicts-are-made.md).\n\n"
        "The head of that file explains the keys:\n\n```text\n"
    )
    text += "\n".join(line.removeprefix(" ") for line in head) + "\n```\n\n"
    columns = ("relative", "absolute", "blocking", "against", "evidence", "floor", "worst")
    rows = [
        (f"`{name}`", *(_word(line.get(column, "")) for column in columns))
        for name, line in _policy().items()
    ]
    return text + table(("metric", *columns), rows)


def _word(value: object) -> str:
    return {True: "yes", False: ""}[value] if isinstance(value, bool) else str(value)


def cli_page() -> str:
    """Return the page of the command line: the help of every verb, as click prints it."""
    text = f"# Command line\n\n{NOTE}\n"
    text += (
        "Exit codes of all verbs: 0 pass or improved; 1 something regressed or failed; "
        "2 wrong use or configuration; 3 something could not be decided; 130 interrupted.\n\n"
        "**Shell completion.** Put the line of your shell into its start-up file:\n\n"
        '```text\nbash   eval "$(_VOXGATE_COMPLETE=bash_source voxgate)"\n'
        'zsh    eval "$(_VOXGATE_COMPLETE=zsh_source voxgate)"\n'
        "fish   _VOXGATE_COMPLETE=fish_source voxgate | source\n```\n"
    )
    for words, command in _commands(cli, ("voxgate",)):
        context = click.Context(
            command,
            info_name=" ".join(words),
            terminal_width=WIDTH,
            max_content_width=WIDTH,
            **cli.context_settings,
        )
        text += f"\n## {' '.join(words)}\n\n```text\n{command.get_help(context)}\n```\n"
    return text


def _commands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            verb = command.get_command(context, name)
            assert verb is not None
            yield from _commands(verb, (*words, name))


def api_page() -> str:
    """Return the page of the public API: `from voxgate import ...`, as the source documents it."""
    text = f"# Public API\n\n{NOTE}\n"
    text += (
        "These names are what `from voxgate import ...` offers to suites and plug-ins.\n"
        "Everything else may change with any release.\n"
    )
    for name in voxgate.__all__:
        found = getattr(voxgate, name)
        path = Path(inspect.getfile(found))
        (node,) = [
            each
            for each in ast.parse(path.read_text()).body
            if isinstance(each, ast.ClassDef) and each.name == name
        ]
        source = path.relative_to(ROOT).as_posix()
        text += f"\n## {name}\n\nDefined in [{source}](../../{source}).\n\n"
        text += f"```python\n{_outline(node)}```\n"
    return text


def _outline(node: ast.ClassDef) -> str:
    """Return a class without the bodies of its methods, and without what is private."""
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    lines = [f"class {node.name}({bases}):" if bases else f"class {node.name}:"]
    for each in node.body:
        if isinstance(each, ast.FunctionDef):
            if not each.name.startswith("_"):
                lines += ["", *_method(each)]
        elif isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
            lines += _docstring(str(each.value.value))
        else:
            lines.append("    " + ast.unparse(each))
    return "\n".join(lines) + "\n"


def _method(node: ast.FunctionDef) -> list[str]:
    signature = ast.unparse(
        ast.FunctionDef(
            name=node.name,
            args=node.args,
            body=[ast.Expr(ast.Constant(...))],
            decorator_list=node.decorator_list,
            returns=node.returns,
            lineno=0,
        )
    ).splitlines()
    doc = ast.get_docstring(node)
    body = [] if doc is None else ["    " + line for line in _docstring(doc)]
    return ["    " + line for line in signature[:-1]] + (body or ["        ..."])


def _docstring(text: str) -> list[str]:
    found = inspect.cleandoc(text).splitlines()
    if len(found) == 1:
        return [f'    """{found[0]}"""']
    return ['    """', *(f"    {line}".rstrip() for line in found), '    """']


def drawing(package: str, order: Sequence[str]) -> str:
    """
    Return the Mermaid drawing of a package's folders.

    An arrow leads from a folder to one that imports it. An import that a chain of arrows implies
    has none of its own (the transitive reduction), else nobody could read it.
    """
    lines = ["flowchart TD"]
    lines += [f"    {name}" for name in order if not name.startswith("_")]
    lines += [f"    {low} --> {high}" for low, high in arrows(package, order)]
    return "\n".join(lines) + "\n"


def arrows(package: str, order: Sequence[str]) -> list[tuple[str, str]]:
    """Return (imported, importing) of every pair of folders that no chain of others implies."""
    uses = {name: imported(package, name) & set(order) - {name} for name in order}
    reach: dict[str, set[str]] = {}
    for name in order:  # a folder imports only what stands before it
        reach[name] = uses[name].union(*(reach.get(low, set()) for low in uses[name]))
    return [
        (low, high)
        for high in order
        if not high.startswith("_")
        for low in order
        if low in uses[high] and not any(low in reach[other] for other in uses[high] - {low})
    ]


def imported(package: str, name: str) -> set[str]:
    """Return the names at the top of a package that a folder or module of it imports."""
    folder = ROOT / package / name
    paths = folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    text = "\n".join(ast.unparse(node) for path in paths for node in _import_nodes(path))
    direct = re.findall(rf"^(?:from|import) voxgate\.{package}\.(\w+)", text, re.MULTILINE)
    from_top = re.findall(rf"^from voxgate\.{package} import (.+)$", text, re.MULTILINE)
    listed = {word.split(" as ")[0].strip() for line in from_top for word in line.split(",")}
    return {*direct, *listed}


def _import_nodes(path: Path) -> list[ast.AST]:
    found = ast.walk(ast.parse(path.read_text()))
    return [node for node in found if isinstance(node, ast.Import | ast.ImportFrom)]


def architecture_page() -> str:
    """Return the page of the architecture, its drawings made anew."""
    return DRAWING.sub(_drawing, (DOCS / "architecture.md").read_text())


def _drawing(found: re.Match[str]) -> str:
    from tests.test_architecture import ENGINE_ORDER, HARNESS_ORDER

    package = found[1]
    order = {"harness": HARNESS_ORDER, "engine": ENGINE_ORDER}[package]
    text = f"```mermaid\n{drawing(package, order)}```\n"
    return f"<!-- drawing: {package} -->\n{text}<!-- end of drawing -->\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "architecture.md": architecture_page,
    "options.md": options_markdown,
    "reference/api.md": api_page,
    "reference/cli.md": cli_page,
    "reference/metrics.md": metrics_page,
    "reference/policy.md": policy_page,
}
"""Path below docs/ -> the function that returns its text."""


def main() -> int:
    """Write every page that differs, and print its path."""
    for name, text in pages().items():
        path = DOCS / name
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
