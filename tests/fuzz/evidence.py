"""
Measures how reliable voxgate is, and writes docs/evidence/reliability.md from what it found:

    python -m tests.fuzz.evidence FOLDER

Each job leaves one JSON file in FOLDER, so that an interrupted run goes on; a job that found a
fault is done again. The page is made from these files alone: no figure of it is typed by hand. Half
an hour, on a machine that need not be quiet.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

from tests.fuzz.driver import ROOT, fuzz
from tests.fuzz.kinds import KINDS, shares
from tests.harness import test_order_of_work
from tests.harness.kill_accept import Trial, count_calls, full_at, killed_at, random_kills
from tests.harness.runner import test_full_disk, test_hostile_runs, test_kills
from voxgate.harness.machine.identity import machine

PART = 10_000
"""Inputs of one job."""
KILLS_PART = 100
PAGE = ROOT / "docs" / "evidence" / "reliability.md"
PACKAGES = ("torch", "numpy", "soundfile", "sqlalchemy", "httpx2", "starlette")
Job = Callable[[], dict[str, Any]]


def jobs(options: argparse.Namespace) -> dict[str, Job]:
    """Return all jobs by the name of their file."""
    found: dict[str, Job] = {}
    for kind, inputs in shares(options.inputs).items():
        for part in range(0, inputs, PART):
            name = f"fuzz {kind} {part // PART}"
            found[name] = lambda kind=kind, part=part, inputs=inputs: _fuzz(
                kind, part // PART, min(PART, inputs - part)
            )
    for part in range(0, options.kills, KILLS_PART):
        found[f"kills of accept {part // KILLS_PART}"] = lambda part=part: _kills(
            part // KILLS_PART
        )
    found["every call of accept"] = _every_call
    orders, runs = str(options.orders), str(options.runs)
    found["orders of work"] = lambda: _tests(test_order_of_work, VOXGATE_ORDERS=orders)
    found["kills of runs"] = lambda: _tests(test_kills, VOXGATE_KILLS=runs)
    found["full disks"] = lambda: _tests(test_full_disk)
    found["hostile run folders"] = lambda: _tests(test_hostile_runs)
    return found


def run_jobs(folder: Path, wanted: Mapping[str, Job]) -> None:
    """Do what is not done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, job in wanted.items():
        path = folder / f"{name.replace(' ', '-')}.json"
        if path.exists() and not json.loads(path.read_text())["faults"]:
            continue
        began = time.perf_counter()
        found = {"job": name, **job(), "wall_s": time.perf_counter() - began}
        found |= {"at": time.strftime("%Y-%m-%d", time.gmtime()), "commit": _commit()}
        path.write_text(json.dumps(found, indent=1))
        print(f"{name}: {len(found['faults'])} faults, {found['wall_s']:.0f} s", flush=True)


def load(folder: Path, wanted: Mapping[str, Job]) -> dict[str, dict[str, Any]]:
    """Read the files of all jobs; those that are not done are left out."""
    paths = {name: folder / f"{name.replace(' ', '-')}.json" for name in wanted}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def _fuzz(kind: str, part: int, inputs: int) -> dict[str, Any]:
    return fuzz(KINDS[kind], 1000 + part, inputs=inputs, save=Path("build/fuzz")).to_json()


def _kills(part: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        found = random_kills(KILLS_PART, part, Path(folder) / "trial")
    return {
        "kills": KILLS_PART,
        "found": dict(found),
        "faults": sorted(set(found) - {"old", "new"}),
    }


def _every_call() -> dict[str, Any]:
    """Kill accept, and let the disk be full, at each call that changes the disk."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder) / "trial")
        calls = count_calls(trial)
        killed = Counter(killed_at(trial, number) for number in range(calls))
        full = Counter(full_at(trial, number) for number in range(calls))
    wrong = [name for name in killed if name not in ("old", "new")]
    wrong += [
        f"{name}, {said}"
        for name, said in full
        if (name, said) not in {("old", True), ("new", False), ("new", True)}
    ]
    left = Counter(name for name, _ in full.elements())
    return {"calls": calls, "killed": dict(killed), "full": dict(left), "faults": wrong}


def _tests(module: ModuleType, **environment: str) -> dict[str, Any]:
    """Run a file of tests; what fails is a fault."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            str(module.__file__),
            f"--junitxml={report}",
        ]
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, check=False, capture_output=True
        )
        cases = list(ElementTree.parse(report).iter("testcase"))
    names = {
        f"{each.get('classname')}::{each.get('name')}": {child.tag for child in each}
        for each in cases
    }
    passed = [name for name, tags in names.items() if not tags & {"failure", "error", "skipped"}]
    return {
        "passed": passed,
        "skipped": sorted(name for name, tags in names.items() if "skipped" in tags),
        "faults": sorted(name for name, tags in names.items() if tags & {"failure", "error"}),
        "asked": environment,
    }


def _commit() -> str:
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def facts() -> dict[str, Any]:
    """Return where this is measured, and with which packages."""
    here = machine()
    return {
        "machine": f"{here['cores']} CPUs of an {here['cpu_model']}, {here['ram_gib']} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": _commit(),
    }


def main() -> int:
    """Measure, and write the page."""
    from tests.fuzz.evidence_page import page

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inputs", type=int, default=300_000)
    parser.add_argument("--kills", type=int, default=500, help="of accept, at random moments")
    parser.add_argument("--runs", type=int, default=60, help="kills of runs that are resumed")
    parser.add_argument(
        "--orders",
        type=int,
        default=40,
        help="orders of run, stop, gate, report, accept and resume",
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument(
        "--only-page", action="store_true", help="write the page from what is there"
    )
    options = parser.parse_args()
    wanted = jobs(options)
    if not options.only_page:
        run_jobs(options.folder, wanted)
        (options.folder / "facts.json").write_text(json.dumps(facts()))
    found = load(options.folder, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        sys.exit(f"not measured yet: {', '.join(missing)}")
    options.page.write_text(
        page(found, json.loads((options.folder / "facts.json").read_text())), encoding="utf-8"
    )
    return 1 if any(each["faults"] for each in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
