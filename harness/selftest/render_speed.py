"""
The results of a selftest of speed as text, Markdown and JSON.

Computes nothing but the scale of a unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxgate.harness.records import codec
from voxgate.harness.report.format import escaped, plain_columns
from voxgate.harness.selftest.simulated_gate import FIRST_ROUNDS, MOST_ROUNDS
from voxgate.harness.selftest.speed_result import Reach, SizeResult, Trust
from voxgate.harness.selftest.trials import Rate

SCHEMA_VERSION = 2
"""Of the JSON. History: 1, 2026-11, first; 2, 2026-11, without the rules of other tools."""
WITHIN_S = 300.0
"""What people wait for a verdict on a pull request."""
NOTE = (
    "Intervals are 95 % (Clopper-Pearson), as wide as the comparisons that share no process make "
    "them; their number stands in brackets. All sides take turns here, so that two samples of a "
    "pair may lie some seconds apart; in `voxgate ab` they are neighbours."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    A title, the names of the columns, and the rows; the first column holds words, the others
    numbers.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(trust: Trust) -> tuple[Table, ...]:
    """Return the tables that have rows."""
    every = (_sizes(trust), _noise(trust), _curve(trust))
    return tuple(table for table in every if table.rows)


def text(trust: Trust) -> str:
    """Write everything as plain text; the last line is the verdict."""
    parts = [
        heading(trust),
        *map(as_text, tables(trust)),
        *remarks(trust),
        NOTE,
        line(trust),
    ]
    return "\n\n".join(parts)


def markdown(trust: Trust) -> str:
    """Write everything as Markdown, ending in a newline."""
    parts = [f"**{escaped(line(trust))}**", escaped(heading(trust))]
    parts += [as_markdown(table) for table in tables(trust)]
    return (
        "\n\n".join([*parts, *(f"- {escaped(remark)}" for remark in remarks(trust)), escaped(NOTE)])
        + "\n"
    )


def heading(trust: Trust) -> str:
    """Return the suite, profile, machine, revision and the sides."""
    setup = trust.setup
    state = (
        "a neighbour computing on one core, placed by the system" if setup.loaded else trust.quiet
    )
    what = (
        f"{setup.equals} equal sides, {len(setup.sizes)} slower ones; the work is added in stage "
        f"{setup.stage}"
    )
    return (
        f"selftest {setup.suite}   {setup.profile}   {trust.machine}   {trust.head}   {state}   "
        f"{what}"
    )


def remarks(trust: Trust) -> list[str]:
    """
    Return one example of an undecided comparison, and the cells that were left out, with the
    reason.
    """
    undecided = [
        f"UNRESOLVED, for example: {size_result.why_unresolved}"
        for size_result in trust.sizes
        if size_result.why_unresolved
    ]
    left_out = {**trust.setup.left_out, **trust.failures}
    return [*undecided[:1], *(f"not measured: {slug}: {why}" for slug, why in left_out.items())]


def line(trust: Trust) -> str:
    """Return the verdict in one line."""
    shares = "; ".join(
        f"{size_result.size * 100:g} % found in {_percent(size_result.flagged.share)}"
        for size_result in trust.sizes
        if size_result.size in (0.05, 0.1)
    )
    point = within(trust.curve)
    cells = len(trust.setup.costs)
    scope = f"{WITHIN_S / 60:g} minutes of an A/B of {cells} cell{'s' * (cells > 1)}"
    seen = (
        "" if point is None else f"{point.sees_worst * 100:.1f} % is the least it sees in {scope}"
    )
    return "; ".join(
        filter(None, [f"{trust.fit.status.upper()} to gate: {trust.fit.reason}", shares, seen])
    )


def exit_code(trust: Trust) -> int:
    """Return 0 where the machine is fit to gate, 3 where it is not or could not be decided."""
    return 0 if trust.fit.status == "fit" else 3


def within(curve: Sequence[Reach], duration_s: float = WITHIN_S) -> Reach | None:
    """Return the farthest point of the curve that takes no longer; None if there is none."""
    return max(
        (point for point in curve if point.duration_s <= duration_s),
        key=lambda p: p.rounds,
        default=None,
    )


def to_json(trust: Trust) -> dict[str, Any]:
    """Return the results as plain JSON values."""
    return {
        "schema_version": SCHEMA_VERSION,
        **codec.to_json(trust),
        "line": line(trust),
        "exit_code": exit_code(trust),
    }


def as_text(table: Table) -> str:
    """Return a table in plain columns, below its title."""
    return "\n".join([table.title, *plain_columns([table.head, *table.rows])])


def as_markdown(table: Table) -> str:
    """Write a table as Markdown."""
    align = ["---", *("---:" for _ in table.head[1:])]
    head, *rows = [list(map(escaped, row)) for row in (table.head, *table.rows)]
    return "\n".join(
        [
            f"### {escaped(table.title)}",
            "",
            *(f"| {' | '.join(row)} |" for row in (head, align, *rows)),
        ]
    )


def _sizes(trust: Trust) -> Table:
    head = ("slow-down", "measured", "comparisons", "reported as slower", "UNRESOLVED", "rounds")
    title = (
        f"What the gate said ({FIRST_ROUNDS} to {MOST_ROUNDS} rounds, and as many to confirm an "
        "alarm)"
    )
    return Table(title=title, head=head, rows=tuple(map(_size_row, trust.sizes)))


def _size_row(result: SizeResult) -> tuple[str, ...]:
    name = f"{result.size * 100:g} %" if result.size else "none (A/A)"
    real = "" if result.real is None else f"{result.real * 100:+.1f} %"
    count = f"{result.flagged.total} ({result.flagged.disjoint:.0f})"
    return (
        name,
        real,
        count,
        shown_rate(result.flagged),
        _percent(result.unresolved.share),
        f"{result.rounds:.1f}",
    )


def _noise(trust: Trust) -> Table:
    rows = tuple(
        (
            cell_noise.cell,
            str(cell_noise.rounds),
            f"{cell_noise.pair_sd * 100:.2f} %",
            f"{cell_noise.sees * 100:.1f} %",
        )
        for cell_noise in trust.noise
    )
    head = ("cell", "rounds", "an A/A pair differs by (sd)", f"sees in {MOST_ROUNDS} rounds")
    return Table(title="Noise of the cells", head=head, rows=rows)


def _curve(trust: Trust) -> Table:
    rows = tuple(
        (
            str(p.rounds),
            _duration(p.duration_s),
            f"{p.sees_median * 100:.1f} %",
            f"{p.sees_worst * 100:.1f} %",
        )
        for p in trust.curve
    )
    cells = len(trust.setup.costs)
    title = (
        f"Time against what can be seen and confirmed nine times in ten, for an A/B of {cells} "
        f"cell{'s' * (cells > 1)}"
    )
    return Table(
        title=title, head=("rounds", "takes", "sees, middle cell", "sees, worst cell"), rows=rows
    )


def shown_rate(rate: Rate) -> str:
    """Format a share in per cent, with its interval."""
    return f"{_percent(rate.share)} [{rate.low * 100:.1f} {rate.high * 100:.1f}]"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _duration(duration_s: float) -> str:
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes} m {seconds:02} s"
