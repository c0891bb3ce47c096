"""
An environment as a flat list of facts, so that two can be laid side by side. Knows no fact by name.
"""

from collections.abc import Mapping

UNKNOWN = "unknown"
STEADY = ("machine", "toolchain")
"""The groups that stay the same between two runs unless somebody changes something; the others say how busy it was."""


def facts(environment: Mapping[str, object]) -> dict[str, str]:
    """Give every fact as text: `machine · cores` -> `2`."""
    found: dict[str, str] = {}
    for name, value in environment.items():
        if isinstance(value, Mapping):
            found |= {f"{name} · {inner}": each for inner, each in facts(value).items()}
        else:
            found[str(name)] = text(value)
    return found


def text(value: object) -> str:
    """Give a value as people read it."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def changed(before: Mapping[str, object], now: Mapping[str, object]) -> tuple[tuple[str, str, str], ...]:
    """Give (fact, before, now) of the machine and toolchain where the two differ."""
    old, new = (facts({group: each.get(group, {}) for group in STEADY}) for each in (before, now))
    names = dict.fromkeys([*old, *new])
    return tuple((name, old.get(name, UNKNOWN), new.get(name, UNKNOWN)) for name in names if old.get(name) != new.get(name))
