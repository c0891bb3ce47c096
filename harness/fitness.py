"""
Whether the machine was left alone while a run was measured, as far as the run's own records tell.

Knows the snapshots that `environment.py` takes before and after a run; checks no device (that is the doctor's business) and
changes no verdict: a loaded machine widens the intervals, and those decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.environment import stolen_share

LOAD_SHARE = 0.5
"""A load average above half of the cores before anything was started means that somebody else is at work."""
STOLEN_SHARE = 0.02
"""CPU time taken by the host; 2 % is as much as the quietest processes differ among themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """`quiet`, `loaded` or `unknown`, and the figures that say so."""

    word: str
    why: str


def fitness(environment: Mapping[str, object]) -> Fitness:
    """Say how quiet the machine of a run was, from its environment (`Run.environment`)."""
    before, after, machine = (_mapping(environment.get(name)) for name in ("before", "after", "machine"))
    load, cores = before.get("load_1min"), machine.get("cores")
    if not isinstance(load, int | float) or not isinstance(cores, int):
        return Fitness(word="unknown", why="the system does not tell its load")
    stolen = stolen_share(before, after)
    taken = "stolen time not known" if stolen is None else f"{stolen * 100:.1f} % of the CPU time stolen by the host"
    loaded = load > LOAD_SHARE * cores or (stolen is not None and stolen > STOLEN_SHARE)
    return Fitness(word="loaded" if loaded else "quiet", why=f"load {load:g} on {cores} cores at the start, {taken}")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
