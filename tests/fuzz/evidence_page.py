"""The page docs/evidence/reliability.md, from what `evidence.py` found. Measures nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fuzz.kinds import KINDS
from tests.fuzz.test_first_inputs import mended
from tests.harness.hostile import DAMAGES
from tests.harness.runner.test_full_disk import POINTS
from tests.harness.runner.test_hostile_runs import COMMANDS

Found = Mapping[str, Mapping[str, Any]]


def page(found: Found, facts: Mapping[str, Any]) -> str:
    """Return the page."""
    lines = [
        *_head(found, facts),
        *_inputs(found),
        *_kills(found),
        *_disks(found),
        *_orders(found),
        *_hostile(found),
        *_left(),
    ]
    return "\n".join(map(_by_sentence, lines)) + "\n"


def _head(found: Found, facts: Mapping[str, Any]) -> Iterator[str]:
    days = sorted({str(each["at"]) for each in found.values()})
    hours = sum(each["wall_s"] for each in found.values()) / 3600
    faults = sum(len(each["faults"]) for each in found.values())
    commits = sorted({str(each.get("commit", facts["commit"])) for each in found.values()})
    yield "# Damaged inputs, kills and full disks"
    yield ""
    yield "```\nnice -n 15 python -m tests.fuzz.evidence FOLDER\n```"
    yield ""
    yield (
        f"{' to '.join(dict.fromkeys((days[0], days[-1])))}, {facts['machine']}, "
        f"{facts['system']}; {facts['packages']}; "
        f"commit {', '.join(commits)}; {hours:.1f} hours beside other work, for nothing here "
        f"depends on speed. "
        f"**Faults left: {faults}.** Inputs follow from kind, seed and number, so that each can "
        f"be made again; the short form "
        "runs in `make test`, the long one is `make fuzz`."
    )
    yield ""


def _inputs(found: Found) -> Iterator[str]:
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for name, each in found.items():
        if name.startswith("fuzz "):
            numbers = {key: each[key] for key in ("inputs", "read", "refused")}
            totals[each["kind"]].update(
                {**numbers, "faults": len(each["faults"]), "ms": round(1000 * each["seconds"])}
            )
    before = mended()
    yield "## Inputs"
    yield ""
    yield (
        "Read in one process by the functions that read them for the commands. The outcome must "
        "be a value, or a refusal in "
        "one line that names the file or the value; at the server, an answer below 500. Marks "
        "(`<script>canary()</script>`) must "
        "not stand in a page, a comment or a report as they were written, and the password of a "
        "database in no message. "
        "*Mended* counts the faults that these fuzzers found first; their smallest inputs are "
        "tests "
        "(`tests/fuzz/test_first_inputs.py`)."
    )
    yield ""
    yield "| kind | inputs | read | refused | faults | mended | ms an input |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in KINDS:
        row = totals[kind]
        cost = row["ms"] / max(1, row["inputs"])
        cells = [f"{row[name]:,}" for name in ("inputs", "read", "refused", "faults")]
        yield f"| {' | '.join([kind, *cells, str(before[kind]), f'{cost:.2f}'])} |"
    whole = sum(totals.values(), Counter())
    yield (
        f"| **all** | **{whole['inputs']:,}** | {whole['read']:,} | {whole['refused']:,} | "
        f"**{whole['faults']}** |"
        f" {sum(before.values())} | |"
    )
    yield ""


def _kills(found: Found) -> Iterator[str]:
    random = [each for name, each in found.items() if name.startswith("kills of accept")]
    left = sum((Counter(each["found"]) for each in random), Counter[str]())
    every, runs = found["every call of accept"], found["kills of runs"]
    yield "## Kills"
    yield ""
    yield (
        f"- `accept`, SIGKILL at random moments: {sum(each['kills'] for each in random)} kills. "
        f"Left behind: "
        f"{_told(left)}; the old baseline whole or the new one whole, nothing between."
    )
    yield (
        f"- `accept`, killed before each of its {every['calls']} calls that change the disk, "
        f"within a write after half of it: "
        f"{_told(every['killed'])}."
    )
    yield (
        f"- `run`, SIGKILL at random moments and `--resume`, {runs['asked']['VOXGATE_KILLS']} "
        f"times over one run: "
        f"{_verdict(runs)} No record lost or doubled, no worker left behind."
    )
    yield ""


def _disks(found: Found) -> Iterator[str]:
    every, disks = found["every call of accept"], found["full disks"]
    yield "## Full disks"
    yield ""
    yield f"- `accept`, full from each of those {every['calls']} calls on: {_told(every['full'])}."
    yield (
        f"- `run` and its scoring, full from each write on, of {len(POINTS)} kinds "
        f"({', '.join(f'`{each}`' for each in POINTS)}), "
        f"on a small file system with real workers, and with a limit on the size of files: "
        f"{_verdict(disks)} Each ends with "
        "one line, and with room again `--resume` ends as a straight run does."
    )
    yield ""


def _orders(found: Found) -> Iterator[str]:
    orders = found["orders of work"]
    yield "## Stale scores"
    yield ""
    yield (
        f"{orders['asked']['VOXGATE_ORDERS']} orders by chance of run, stop, gate, report, "
        f"accept, history and resume, each "
        f"held against one straight run: the same judgement, the same baseline, to the digit. "
        f"{_verdict(orders)}"
    )
    yield ""


def _hostile(found: Found) -> Iterator[str]:
    hostile = found["hostile run folders"]
    refused = sum(said is not None for _, said in DAMAGES.values())
    yield "## Hostile run folders"
    yield ""
    yield (
        f"{len(DAMAGES)} kinds of damage (`tests/harness/hostile.py`) x {len(COMMANDS)} commands "
        f"({', '.join(COMMANDS)}) = "
        f"{len(DAMAGES) * len(COMMANDS)} readings: {refused} kinds are refused in one line by "
        f"each command, the others judged "
        "or refused; nothing of them was executed, and nothing read or written outside of the run "
        "and the project, as an audit "
        f"hook sees it. {_verdict(hostile)}"
    )
    yield ""


def _left() -> Iterator[str]:
    yield "## What this does not show"
    yield ""
    yield (
        "Power cuts: files are brought to disk before they are renamed, but no machine was "
        "switched off. Disks that lie about "
        "what they wrote. Damage that is a value another engine could have measured: it is judged "
        "as such. Inputs are made "
        "without looking at which lines they reach."
    )


def _by_sentence(line: str) -> str:
    """Write a paragraph with one sentence a line; a list or a table stays as it is."""
    return line if line.startswith(("- ", "|")) else re.sub(r"(?<=[.*]) (?=[A-Z*])", "\n", line)


def _told(left: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(left.items()))


def _verdict(tests: Mapping[str, Any]) -> str:
    skipped = f", {len(tests['skipped'])} skipped here" if tests["skipped"] else ""
    return f"{len(tests['passed'])} tests passed, {len(tests['faults'])} failed{skipped}."
