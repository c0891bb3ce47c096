"""
Load the cells of a suite, one after the other: start or find the server, send one cold request,
warm up, then level by level.

Every record is written into the folder at once; the report is made from the folder, so that an
interrupted load reports what is there.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.load.as_run import write_run
from voxgate.harness.load.driver import Driver, drive
from voxgate.harness.load.plan import (
    Extent,
    LoadPlan,
    chosen_cells,
    command_line,
    one_of_each,
    speech_request,
    unmet_options,
    url_of,
)
from voxgate.harness.load.records import CellLog, LoadPhase, Span, create
from voxgate.harness.load.server import EVERY_S, MemoryWatch, Server, serve_arguments, started
from voxgate.harness.machine.clock import instant_s, now_utc_iso, sleep
from voxgate.harness.machine.identity import environment, load_snapshot
from voxgate.harness.machine.profiles import Profile, allowed_cpus, get_profile
from voxgate.harness.machine.readiness import disturbance
from voxgate.harness.records.cell import Cell, Option, cell_to_json
from voxgate.harness.records.environment import facts_of
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.targets.http.client import SpeechApi, reported_limits, reported_options
from voxgate.harness.targets.http.target import KEY, chosen_model

START_S = 300.0
"""For a server to load its model; compilation comes with the first request."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadContext:
    """One cell under load, with its plan, profile and log."""

    plan: LoadPlan
    cell: Cell
    folder: Path
    log: CellLog
    profile: Profile
    say: Say
    url: str | None
    """Of a running server; None where one is started."""
    zero_s: float
    """When the load of this cell began."""
    repeat: int = 0

    @property
    def requested(self) -> dict[str, Option]:
        """The options that a server of ours must run with."""
        return {**self.profile.defaults, **self.cell.options}


def run_load(plan: LoadPlan, folder: Path, say: Say) -> None:
    """
    Run the load test; every record is in the folder. Raises HarnessError before anything is
    started, if at all.
    """
    run_sides([(plan, folder)], say)


def run_sides(sides: Sequence[tuple[LoadPlan, Path]], say: Say) -> None:
    """
    Run a load test against each side in turns, repeat by repeat and cell by cell; every other
    repeat begins with the last side, so that drift of the machine meets all alike.

    Each side is then a run of its own (`as_run.py`). Raises HarnessError as `run_load` does.
    """
    contexts = [_contexts(plan, folder, say) for plan, folder in sides]
    if why := disturbance():
        say(f"voxgate: {why}")
    try:
        for repeat in range(sides[0][0].repeats):
            for turn in zip(*contexts, strict=True):
                for context in turn if repeat % 2 == 0 else reversed(turn):
                    _load_once(replace(context, repeat=repeat))
    finally:
        for context in chain.from_iterable(contexts):
            context.log.close()
    for plan, folder in sides:
        write_run(folder, plan, {"after": load_snapshot(), "finished": now_utc_iso()})


def _contexts(plan: LoadPlan, folder: Path, say: Say) -> list["LoadContext"]:
    """Make the folder; return a context for each cell."""
    cells, profile = chosen_cells(plan), get_profile(plan.profile)
    urls = {cell.slug: url_of(plan, cell, os.environ) for cell in cells}
    create(folder, _header(plan, cells, profile))
    return [
        LoadContext(
            plan=plan,
            cell=cell,
            folder=folder,
            log=CellLog(folder, cell.slug),
            profile=profile,
            say=say,
            url=urls[cell.slug],
            zero_s=instant_s(),
        )
        for cell in cells
    ]


def _load_once(place: LoadContext) -> None:
    """Load one cell once; a failure is written down, and ends neither other cells nor repeats."""
    try:
        with _server(place, place.url) as server:
            _load_cell(place, server)
    except HarnessError as error:
        place.say(f"{place.cell.slug}: {error}")
        place.log.failure(str(error))


def _header(plan: LoadPlan, cells: tuple[Cell, ...], profile: Profile) -> dict[str, object]:
    return {
        "plan": asdict(plan),
        "profile": profile.name,
        "reference": load_suite(plan.suite).expand().reference,
        "command": command_line(plan),
        "cells": [cell_to_json(cell) for cell in cells],
        "slugs": [cell.slug for cell in cells],
        "created": now_utc_iso(),
        "environment": facts_of(environment()),
    }


@contextmanager
def _server(place: LoadContext, url: str | None) -> Iterator[Server]:
    """
    Yield the running server, or start one: on the profile's CPU where it pins, with this process on
    the others.
    """
    if url is not None:
        yield Server(url=url)
        return
    arguments = serve_arguments({**place.requested, **place.plan.server})
    cpus = allowed_cpus()
    apart = place.profile.pin and len(cpus) > 1
    log = place.folder / f"{place.cell.slug}.server.log"
    place.say(f"{place.cell.slug}: starting python -m voxgate.engine serve {' '.join(arguments)}")
    with (
        started(arguments, log, START_S, place.profile.env, cpus[-1:] if apart else ()) as server,
        _keeping_to(cpus[:-1] if apart else ()),
    ):
        yield server


@contextmanager
def _keeping_to(cpus: tuple[int, ...]) -> Iterator[None]:
    """Pin this process to some CPUs for the context; to all where none are named."""
    before = allowed_cpus()
    if cpus:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        if cpus:
            os.sched_setaffinity(0, before)


def _load_cell(place: LoadContext, server: Server) -> None:
    plan, log, zero_s = place.plan, place.log, place.zero_s
    api = SpeechApi(server.url, plan.timeout_s, os.environ.get(KEY))
    try:
        with MemoryWatch(server.pid, zero_s, log.memory):
            model = _check_model(place, server, api)
            driver = Driver(
                speak=lambda request: api.speak(speech_request(plan, place.cell, request, model)),
                record=log.answer,
                timeout_s=plan.timeout_s,
                zero_s=zero_s,
                repeat=place.repeat,
            )
            _warm_up(place, driver)
            _levels(place, driver)
            sleep(2 * EVERY_S)  # for the last reading of the memory
    finally:
        api.close()


def _check_model(place: LoadContext, server: Server, api: SpeechApi) -> str:
    """
    Write down the server's own facts; return its model. Raises HarnessError where an option differs
    from the requested one.
    """
    cards = api.models()
    model = chosen_model(
        str(place.cell.options.get("model", "")) if place.cell.target == "http" else server.model,
        cards,
    )
    card: Mapping[str, Any] = next((item for item in cards if item["id"] == model), {})
    reported = reported_options(card)
    facts = {"url": server.url, "model": model, "ready_s": server.ready_s, "pid": server.pid}
    facts["repeat"] = place.repeat
    place.log.server({**facts, "told": reported, "limits": reported_limits(card)})
    if place.cell.target == "engine":
        # a server elsewhere has its own threads
        requested = place.requested if server.pid is not None else place.cell.options
        broken = unmet_options(requested, reported)
        if broken:
            raise HarnessError(f"not in effect, as the server itself tells: {'; '.join(broken)}")
        if not reported and requested:
            place.say(
                f"{place.cell.slug}: the server does not tell its options, so that none of the "
                "cell's is known to hold"
            )
    return model


def _warm_up(place: LoadContext, driver: Driver) -> None:
    """
    Send one text cold, the same again, and one of each other length. Raises HarnessError if the
    first fails.
    """
    requests = place.cell.workload.requests
    first = driver.ask(requests[0], LoadPhase.COLD)
    if first.failure:
        raise HarnessError(f"the first request failed ({first.failure}): {first.reason}")
    for request in one_of_each(requests):
        driver.ask(request, LoadPhase.WARMUP)


def _levels(place: LoadContext, driver: Driver) -> None:
    plan = place.plan
    for level in plan.levels:
        turn = f", {place.repeat + 1} of {plan.repeats}" if plan.repeats > 1 else ""
        place.say(f"{place.cell.slug}: {level.label}, {_shown(plan.extent)}{turn}")
        began_s = driver.now_s()
        try:
            seed = plan.seed + place.repeat
            drive(driver, level, place.cell.workload.requests, plan.extent, seed)
        finally:
            span = Span(
                level=level.label, began_s=began_s, ended_s=driver.now_s(), repeat=place.repeat
            )
            place.log.span(span)


def _shown(extent: Extent) -> str:
    parts = [] if extent.requests is None else [f"{extent.requests} requests"]
    return " or ".join(
        [*parts, *([] if extent.duration_s is None else [f"{extent.duration_s:g} s"])]
    )
