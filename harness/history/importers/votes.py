"""Read the file of votes that a listening page saved for its listener: one answer per trial."""

from collections.abc import Mapping
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.importers.common import mapping, name
from voxgate.harness.history.records import Vote, digest_of, utc_iso

SCHEMA = "voxgate-votes/1"
MODES, SIDES = ("abx", "preference"), ("a", "b", "none")


def votes(data: Mapping[str, Any]) -> tuple[Vote, ...]:
    """Return the answers of a file. Raises HarnessError for a field that is missing or unknown."""
    try:
        if data["mode"] not in MODES:
            raise HarnessError(f"votes of mode {data['mode']!r}; known are {', '.join(MODES)}")
        return tuple(
            _vote(data, number, mapping(trial))
            for number, trial in enumerate(data["trials"], start=1)
        )
    except (KeyError, TypeError) as error:
        raise HarnessError(
            f"this file of votes cannot be read ({error!r}); let the page write it again"
        ) from error


def _vote(data: Mapping[str, Any], number: int, trial: Mapping[str, Any]) -> Vote:
    hidden = data["mode"] == "abx"
    x, answer = str(trial["x"]) if hidden else "", str(trial["answer"])
    if answer not in SIDES or (hidden and x not in SIDES[:2]):
        raise HarnessError(
            f"trial {number}: x is {x!r} and answer {answer!r}; known are {', '.join(SIDES)}"
        )
    return Vote(
        id=0,
        digest=digest_of(
            SCHEMA, {key: data[key] for key in data if key != "trials"}, number, trial
        ),
        suite=name(data["suite"]),
        cell=name(data["cell"]),
        mode=data["mode"],
        a=_side(data["a"]),
        b=_side(data["b"]),
        request=name(trial["request"]),
        x=x,
        answer=answer,
        correct=answer == x if hidden else None,
        listener=name(data.get("listener"), ""),
        created=utc_iso(str(data["created"])),
    )


def _side(side: Any) -> str:
    identity = mapping(side)
    label, run = name(identity.get("label"), ""), name(identity.get("run"), "")
    return f"{label} @ {run}" if label and run else label or run
