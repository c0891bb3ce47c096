"""
Order systems by the votes of listeners: files that a blind test saved, and a strength per system.

Only answers to "which do you prefer?" count; a listener without a preference counts half for either
side. The bootstrap draws listeners where there are enough of them, else texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.importers.votes import SCHEMA, votes
from voxgate.harness.history.records import Vote
from voxgate.harness.records.documents import read_json

LISTENERS = 5
"""From so many on, listeners are drawn: votes of one listener resemble each other."""
MOST_SYSTEMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSystem:
    """One system: votes for and against it, its strength (log odds, mean zero), its interval."""

    name: str
    votes: float
    against: float
    strength: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The systems, the strongest first; what the interval was drawn over; votes of other kinds."""

    systems: tuple[RankedSystem, ...]
    votes: int
    listeners: int
    drawn: str
    ignored: int
    """Answers to the other question, which of the two X is."""


def read_votes(files: Sequence[Path]) -> tuple[Vote, ...]:
    """Return the votes of files, each once. Raises HarnessError for a file of another kind."""
    found: dict[str, Vote] = {}
    for path in files:
        data = read_json(path, f"there is no {path}; name the file that the blind test saved")
        if data.get("schema") != SCHEMA:
            raise HarnessError(f"{path} holds no votes ({SCHEMA}); let a blind test save them")
        found |= {vote.digest: vote for vote in votes(data)}
    return tuple(found.values())


def rank(cast: Sequence[Vote]) -> Ranking:
    """
    Order systems by their strengths. Raises HarnessError without preferences, and for systems that
    no chain of comparisons links.
    """
    preferred = [vote for vote in cast if vote.mode == "preference" and vote.a != vote.b]
    names = sorted({vote.a for vote in preferred} | {vote.b for vote in preferred})
    if not preferred:
        raise HarnessError(
            "the votes hold no preference; ask `Which of the two do you prefer?` in the blind test"
        )
    if len(names) > MOST_SYSTEMS:
        raise HarnessError(
            f"the votes name {len(names)} systems; at most {MOST_SYSTEMS} are ranked at once"
        )
    _check_linked(names, preferred)
    listeners = {_listener(vote) for vote in preferred}
    by_listener = len(listeners) >= LISTENERS
    tables = _tables(preferred, names, by_listener=by_listener)
    fitted = statistics.strengths(tables)
    total = tables.sum(axis=0)
    systems = [
        RankedSystem(
            name=name,
            votes=float(total[i].sum()),
            against=float(total[:, i].sum()),
            strength=fitted.points[i],
            low=None if fitted.lows is None else fitted.lows[i],
            high=None if fitted.highs is None else fitted.highs[i],
        )
        for i, name in enumerate(names)
    ]
    return Ranking(
        systems=tuple(sorted(systems, key=lambda each: -each.strength)),
        votes=len(preferred),
        listeners=len(listeners),
        drawn="listeners" if by_listener else "texts",
        ignored=len(cast) - len(preferred),
    )


def _tables(cast: Sequence[Vote], names: Sequence[str], *, by_listener: bool) -> statistics.Array:
    """Return a table of wins for each listener or text, shape (m, k, k)."""
    place = {name: index for index, name in enumerate(names)}
    groups = sorted({_group(vote, by_listener) for vote in cast})
    table = np.zeros((len(groups), len(names), len(names)))
    for vote in cast:
        group, a, b = groups.index(_group(vote, by_listener)), place[vote.a], place[vote.b]
        share = {"a": 1.0, "b": 0.0}.get(vote.answer, 0.5)
        table[group, a, b] += share
        table[group, b, a] += 1.0 - share
    return table


def _group(vote: Vote, by_listener: bool) -> str:
    return _listener(vote) if by_listener else vote.request


def _listener(vote: Vote) -> str:
    """Return who voted; of those without a name, each test is one."""
    return vote.listener or vote.created


def _check_linked(names: Sequence[str], cast: Sequence[Vote]) -> None:
    """Raise HarnessError where some systems were never compared with the others, by any chain."""
    reached, fresh = {names[0]}, {names[0]}
    while fresh:
        pairs = {(vote.a, vote.b) for vote in cast} | {(vote.b, vote.a) for vote in cast}
        fresh = {b for a, b in pairs if a in fresh} - reached
        reached |= fresh
    apart = sorted(set(names) - reached)
    if apart:
        raise HarnessError(
            f"no vote links {apart[0]} to {names[0]}; compare one of them with a common system, or "
            "rank their votes apart"
        )


def ranking_to_dict(ranking: Ranking) -> dict[str, Any]:
    """Return plain JSON values."""
    systems: list[Mapping[str, Any]] = [
        {
            "system": each.name,
            "votes": each.votes,
            "against": each.against,
            "strength": each.strength,
            "low": each.low,
            "high": each.high,
        }
        for each in ranking.systems
    ]
    return {
        "systems": systems,
        "votes": ranking.votes,
        "listeners": ranking.listeners,
        "drawn": ranking.drawn,
        "ignored": ranking.ignored,
    }
