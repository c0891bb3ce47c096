"""
Renders the options of all pipelines: `python -m voxgate.engine options`, and `docs/options.md`.
"""

from collections.abc import Mapping, Sequence

from voxgate.engine.config.option_spec import OptionSpec, config_class, config_names, options_of

HEADING = "## Pipeline "
HEAD = """# Options of the engine

Every option of every pipeline, with its default and the values that it may have.
`python -m voxgate.engine options --markdown` writes this page from the configurations in
`engine/config/`, and a test holds it fresh: change an option there, then write the page anew.

You name options as axes of a [suite](glossary.md#suite) (`axes={"nfe_steps": [32, 16]}`), as
arguments of `python -m voxgate.engine say --nfe-steps 16`, or as plain values in Python.
An option with a mark under "per request" may also be set for one request of a workload.
An unknown option, a wrong type or a value out of range is refused before anything is loaded.
How the solver's options work: [solver options](solver-options.md); what each runtime needs:
[stages and runtimes](stages-and-runtimes.md).
"""


def options_markdown() -> str:
    """Return the reference page of all options as Markdown."""
    sections = (f"{HEADING}`{name}`\n\n{_table(name)}" for name in config_names())
    return "\n".join([HEAD, *sections])


def options_text() -> str:
    """Return all options as plain lines, for a terminal."""
    return "\n".join(f"pipeline {name}\n{_lines(name)}" for name in config_names())


def help_of(name: str, pipelines: Sequence[str]) -> str:
    """Return the help of an option, in one line, for a command that runs any of some pipelines."""
    specs = {
        pipeline: options_of(config_class(pipeline))[name]
        for pipeline in pipelines
        if name in options_of(config_class(pipeline))
    }
    owners = f"{', '.join(specs)} only: " if len(specs) < len(pipelines) else ""
    meaning = _merged({pipeline: spec.help for pipeline, spec in specs.items()}, " | ")
    values = _merged({pipeline: _values(spec) for pipeline, spec in specs.items()}, " | ")
    default = _merged({pipeline: _shown(spec) for pipeline, spec in specs.items()}, ", ")
    return f"{owners}{meaning} [{values}{'; ' if values else ''}default {default}]"


def _merged(texts: Mapping[str, str], separator: str) -> str:
    """Return the text of the first pipeline; others behind it, named, where they differ."""
    pipelines: dict[str, list[str]] = {}
    for pipeline, text in texts.items():
        pipelines.setdefault(text, []).append(pipeline)
    first, *others = pipelines
    return separator.join([first, *(f"{', '.join(pipelines[each])}: {each}" for each in others)])


def _values(spec: OptionSpec) -> str:
    """Return the values that an option may have; empty for any text."""
    return "" if spec.kind is str and not spec.choices else spec.allowed


def _shown(spec: OptionSpec) -> str:
    return str(spec.default) or "none"


def _table(pipeline: str) -> str:
    rows = [
        ("option", "default", "values", "per request", "meaning"),
        ("---",) * 5,
        *map(_columns, options_of(config_class(pipeline)).values()),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _columns(spec: OptionSpec) -> tuple[str, ...]:
    default = f"`{spec.default}`" if str(spec.default) else "empty"
    return (f"`{spec.name}`", default, spec.allowed, "yes" if spec.per_request else "", spec.help)


def _lines(pipeline: str) -> str:
    return "".join(
        f"  {spec.name:24} {_shown(spec):10} {spec.allowed}\n  {'':24} {spec.help}\n"
        for spec in options_of(config_class(pipeline)).values()
    )
