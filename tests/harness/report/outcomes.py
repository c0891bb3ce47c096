"""
One document for every kind of outcome of a gate, and the comments that are drawn from them:
`golden/<name>.md`.

python -m tests.harness.report.outcomes     writes the golden files anew; read the difference before
                                            you commit it
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.harness.fake_runs import accepted, good_run, make_run, noisy, process, steady
from tests.harness.report.making import contents, lied_to, one_broken, passed, regressed, unheard
from voxgate.harness.judging.baseline import load_baseline
from voxgate.harness.records.environment import Machine
from voxgate.harness.records.run import Failure, FailureKind
from voxgate.harness.report.contents import Report
from voxgate.harness.report.junit import document_of
from voxgate.harness.report.pr_comment import CommentLinks, comment

GOLDEN = Path(__file__).parent / "golden"
BASE, HEAD = "3fa1c2e" + "0" * 33, "9bd41f0" + "1" * 33
PLACE = CommentLinks(
    page="https://github.com/o/r/actions/runs/7/artifacts/8",
    log="https://github.com/o/r/actions/runs/7",
    fetch="git fetch origin pull/12/merge",
    by_comment=True,
)
EVIL = (
    "](https://evil.example) <img src=x onerror=alert(1)> @all #1 GH-2 `x` | a | b |\n\n# loud\n"
    "<!-- voxgate --> **b** $x$ www.evil.example \u202e$(rm -rf ~) ';\x1b[2J"
)
KEPT = ("verdict", "better", "against", "schema_version", "kind")
"""Fields that decide how a document is read at all."""


def paired(contents: Report, **more: object) -> dict[str, Any]:
    """As `voxgate ab --json` writes it."""
    revisions = {
        "base": {"commit": BASE, "label": "3fa1c2e"},
        "head": {"commit": HEAD, "label": "9bd41f0"},
    }
    return {
        **document_of(contents),
        "revisions": revisions,
        "control": {"shift": "+0.1 % [-0.4 +0.5]"},
        "notes": [],
        **more,
    }


def improved(tmp_path: Path) -> Report:
    return contents(
        make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.08)}, "runs/0002"), accepted(tmp_path)
    )


def worse_voice(tmp_path: Path) -> Report:
    return contents(good_run("runs/0002"), accepted(tmp_path), pesq=3.1)


def other_setting(tmp_path: Path) -> Report:
    """All passes, and a default is another one."""
    return contents(
        good_run("runs/0002", effective={"nfe_steps": 8, "solver": "midpoint"}), accepted(tmp_path)
    )


def unresolved(tmp_path: Path) -> Report:
    rng = np.random.default_rng(1)
    return contents(
        make_run({"nfe-32": noisy(rng, 0.4, 0.1), "nfe-8": noisy(rng, 0.1, 0.1)}, "runs/0002"),
        accepted(tmp_path),
    )


def incomparable(tmp_path: Path) -> Report:
    """The baseline is of a machine of the same name with fewer cores."""
    accepted(tmp_path)
    run = good_run("runs/0002")
    other = replace(
        run, environment=replace(run.environment, machine=Machine(id="box-2c", facts={"cores": 4}))
    )
    return contents(other, load_baseline(tmp_path / "baselines", "smoke", "box-2c"))


def failed(tmp_path: Path) -> Report:
    """A worker of nfe=8 died."""
    run = good_run("runs/0002")
    death = process(
        "nfe-8",
        3,
        [],
        failure=Failure(
            kind=FailureKind.KILLED, reason="the worker was ended by SIGKILL (out of memory?)"
        ),
    )
    return contents(replace(run, processes=(*run.processes, death)), accepted(tmp_path))


def hostile(tmp_path: Path) -> dict[str, Any]:
    """
    Every text in the document is an attack, and so are the names of its keys where they are data.
    """
    document = _poisoned(paired(regressed(tmp_path), notes=[""], in_effect={"nfe-8": [""]}))
    assert isinstance(document, dict)
    return {**document, "counts": {"PASS": 99}, "exit_code": 0, "line": EVIL}


def _poisoned(value: object, name: str = "") -> object:
    if name in KEPT or not isinstance(value, str | list | dict):
        return value
    if isinstance(value, str):
        return EVIL
    if isinstance(value, list):
        return [_poisoned(each) for each in value]
    return {key: _poisoned(each, key) for key, each in value.items()}


OUTCOMES: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "pass": lambda at: paired(passed(at)),
    "improved": lambda at: paired(improved(at)),
    "regressed-speed": lambda at: paired(
        regressed(at), notes=["toolchain: torch 2.12.0 against 2.13.0"]
    ),
    "regressed-quality": lambda at: paired(worse_voice(at)),
    "one-broken": lambda at: paired(one_broken(at)),
    "not-in-effect": lambda at: paired(lied_to(at)),
    "failed": lambda at: paired(failed(at)),
    "other-setting": lambda at: paired(other_setting(at)),
    "unresolved": lambda at: paired(unresolved(at)),
    "no-baseline": lambda at: document_of(unheard()),
    "incomparable": lambda at: document_of(incomparable(at)),
    "hostile": hostile,
}


@cache
def written(name: str) -> str:
    """Give the document of an outcome as JSON, as it would arrive."""
    with tempfile.TemporaryDirectory() as folder:
        return json.dumps(OUTCOMES[name](Path(folder)))


def drawn(name: str) -> str:
    """Draw the comment of an outcome."""
    return comment(json.loads(written(name)), PLACE)


if __name__ == "__main__":
    for each in OUTCOMES:
        (GOLDEN / f"{each}.md").write_text(drawn(each), encoding="utf-8")
