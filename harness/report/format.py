"""
Text for people: numbers with their units, plain columns, and text from outside made harmless.

A number has its unit scaled, its digits chosen and its interval behind it. Text from outside
becomes one printable line for a terminal, or a line of Markdown without markup, and no report is
longer than GitHub takes. Needs the standard library alone; computes only the scale of a unit.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from voxgate.harness.judging.phrases import ERROR_RATES, base_metric, unit_scale
from voxgate.harness.records.measurement import Measurement, Missing, Value, is_exact

SHARE_OF_BUDGET = "budget_share"
"""Shown as met or missed."""
FIXED: Mapping[str, int] = MappingProxyType(
    {
        "rtf": 3,
        "rtf_median": 3,
        "pesq": 2,
        "pesq_c2": 2,
        "stoi": 3,
        "estoi": 3,
        "speaker_similarity": 3,
        "voice_similarity": 3,
        "similarity_margin": 3,
        "source_f0_correlation": 3,
        "source_energy_correlation": 3,
    }
)
"""Decimals where readers expect a fixed number of them."""
MISSING = "missing"
NO_DATA = "no data"
"""State of a trend whose newest nights have no value."""


def shown_unit(metric: str, unit: str) -> str:
    """Name the unit that `shown` uses for a metric; empty for bare ratios."""
    return unit_scale(metric, unit)[1]


def shown_scale(metric: str, unit: str) -> float:
    """Return the factor from base units to the unit of `shown_unit`."""
    return unit_scale(metric, unit)[0]


def shown(measurement: Measurement, *, interval: bool = True) -> str:
    """
    Return the summary as `412 [408 417]`; `exact` for identical signals, `missing` where there is
    none.
    """
    value = measurement.summary
    if isinstance(value, Missing):
        return MISSING
    if is_exact(measurement.unit, value):
        return "exact"
    if measurement.metric == SHARE_OF_BUDGET:
        return kept(value)
    scale, _ = unit_scale(measurement.metric, measurement.unit)
    decimals = _decimals(measurement.metric, value * scale)
    point = f"{value * scale:.{decimals}f}"
    if not interval or measurement.low is None or measurement.high is None:
        return point
    return (
        f"{point} [{measurement.low * scale:.{decimals}f} {measurement.high * scale:.{decimals}f}]"
    )


def shown_value(metric: str, unit: str, value: Value) -> str:
    """Return a bare value as `shown` does, or `missing: reason`."""
    if isinstance(value, Missing):
        return f"{MISSING}: {value.reason}"
    if is_exact(unit, value):
        return "exact"
    if metric == SHARE_OF_BUDGET:
        return kept(value)
    scale, _ = unit_scale(metric, unit)
    return f"{value * scale:.{_decimals(metric, value * scale)}f}"


def kept(share: float) -> str:
    """
    Return whether a share of a budget keeps it.

    >>> kept(0.784), kept(1.3), kept(1.0004)
    ('met 0.78', 'missed 1.30', 'missed 1.0004')
    """
    near = f"{share:.2f}" if (share > 1.0) == (float(f"{share:.2f}") > 1.0) else f"{share:.5g}"
    return f"{'met' if share <= 1.0 else 'missed'} {near}"


def _decimals(metric: str, value: float) -> int:
    """Choose three digits or so; more where the number is small."""
    size = abs(value)
    usual = FIXED.get(base_metric(metric))
    if usual is not None:
        return usual if size >= 0.01 or size == 0.0 else usual + 2
    if size >= 99.95:  # what rounds to 100
        return 0
    return 1 if size >= 1.0 or size == 0.0 or base_metric(metric) in ERROR_RATES else 3


def flat_facts(facts: Mapping[str, object]) -> dict[str, str]:
    """
    Return nested facts as text, group by group.

    >>> flat_facts({"machine": {"cores": 2, "gpus": []}})
    {'machine · cores': '2', 'machine · gpus': 'none'}
    """
    flat: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} · {inner}": fact for inner, fact in flat_facts(value).items()}
        else:
            flat[str(name)] = fact_text(value)
    return flat


def fact_text(value: object) -> str:
    """Return a fact as text; a list by its members."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def silence_lines(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """
    Return series without data as one line for each machine, profile and reason: a missed night
    silences all of them. Rows are those of `voxgate history status --json`.
    """
    groups: dict[tuple[object, ...], list[Mapping[str, object]]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("machine", "profile", "reason"))
        groups.setdefault(key, []).append(row)
    lines = []
    for (machine, profile, reason), held in groups.items():
        suites = ", ".join(dict.fromkeys(str(row["suite"]) for row in held))
        only = f"{held[0]['cell']} {held[0]['metric']}" if len(held) == 1 else f"{len(held)} series"
        lines.append(f"{suites} {profile} {machine} {only}: {reason}")
    return lines


GAP = "  "
"""Between two columns of plain text."""


def plain_columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """
    Return the rows as lines of text in columns.

    Columns in `left` are set to the left, all others to the right; no line ends in spaces.

    >>> plain_columns([("cell", "p50 ms"), ("nfe=8", "110")])
    ['cell   p50 ms', 'nfe=8     110']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [GAP.join(_aligned(row, widths, left)).rstrip() for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int], left: Collection[int]) -> list[str]:
    return [
        text.ljust(width) if column in left else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


LIMIT = 65_000
"""Characters of a comment or an issue; GitHub refuses more than 65,536."""
BREAK = "\u200b"
"""
A zero-width space. GitHub looks for mentions, references and addresses after it has read Markdown
and entities, so that neither a backslash nor an entity stops it; only a character in between does.
"""
LIVE = re.compile(
    r"(?<=@)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=#)(?=\d)|(?<=\bGH-)(?=\d)", re.IGNORECASE
)
"""Where a mention, an address or a reference is broken."""


def plain(text: str) -> str:
    """
    Make one printable line of any text: control characters would move a terminal's cursor, or turn
    its letters round.
    """
    return re.sub(
        r"[^\S ]+",
        " ",
        "".join(char if char.isprintable() or char.isspace() else "?" for char in text),
    ).strip()


def escaped(text: str) -> str:
    """
    Make text stand for itself in a Markdown line or table cell: no markup, no link, no mention, no
    reference.
    """
    harmless = LIVE.sub(BREAK, text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", harmless).replace(BREAK, "&#8203;")


def fitting(lines: Sequence[str], room: int, left_out: Callable[[int], str]) -> str:
    """
    Join the lines that fit into so many characters; `left_out` words the last one, which says how
    many are missing.
    """
    kept: list[str] = []
    left = room - github_length(left_out(len(lines))) - 1
    for line in lines:
        left -= github_length(line) + 1
        if left < 0:
            return "\n".join([*kept, left_out(len(lines) - len(kept))])
        kept.append(line)
    return "\n".join(kept)


def github_length(text: str) -> int:
    """Count characters as GitHub does, those beyond the first plane twice."""
    return len(text.encode("utf-16-le", "replace")) // 2
