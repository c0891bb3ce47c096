"""
Load the cells of a suite, one after the other: start or find the server, send one cold request,
warm up, then level by level.

Every record is written into the folder at once; the report is made from the folder, so that an
interrupted load reports what is there.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.load.driver import Driver, drive
from voxgate.harness.load.plan import (
    Extent,
    LoadPlan,
    chosen_cells,
    one_of_each,
    speech_request,
    unmet_options,
    url_of,
)
from voxgate.harness.load.records import CellLog, LoadPhase, Span, create
from voxgate.harness.load.server import EVERY_S, MemoryWatch, Server, serve_arguments, started
from voxgate.harness.machine.clock import instant_s, now_utc_iso, sleep
from voxgate.harness.machine.identity import environment
from voxgate.harness.machine.profiles import Profile, allowed_cpus, get_profile
from voxgate.harness.machine.readiness import disturbance
from voxgate.harness.records.cell import Cell, Option, cell_to_json
from voxgate.harness.records.environment import facts_of
from voxgate.harness.targets.http.client import SpeechApi, limits_told, options_told
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

    @property
    def requested(self) -> dict[str, Option]:
        """The options that a server of ours must run with."""
        return {**self.profile.defaults, **self.cell.options}


def run_load(plan: LoadPlan, folder: Path, say: Say) -> None:
    """
    Run the load test; every record is in the folder. Raises HarnessError before anything is
    started, if at all.
    """
    cells, profile = chosen_cells(plan), get_profile(plan.profile)
    urls = {cell.slug: url_of(plan, cell, os.environ) for cell in cells}
    create(folder, _header(plan, cells))
    if why := disturbance():
        say(f"voxgate: {why}")
    for cell in cells:
        log = CellLog(folder, cell.slug)
        place = LoadContext(plan=plan, cell=cell, folder=folder, log=log, profile=profile, say=say)
        try:
            with _server(place, urls[cell.slug]) as server:
                _load_cell(place, server)
        except HarnessError as error:
            say(f"{cell.slug}: {error}")
            log.failure(str(error))
        finally:
            log.close()


def _header(plan: LoadPlan, cells: tuple[Cell, ...]) -> dict[str, object]:
    return {
        "plan": asdict(plan),
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
    plan, log, zero_s = place.plan, place.log, instant_s()
    api = SpeechApi(server.url, plan.timeout_s, os.environ.get(KEY))
    try:
        with MemoryWatch(server.pid, zero_s, log.memory):
            model = _check_model(place, server, api)
            driver = Driver(
                speak=lambda request: api.speak(speech_request(plan, place.cell, request, model)),
                record=log.answer,
                timeout_s=plan.timeout_s,
                zero_s=zero_s,
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
    reported = options_told(card)
    facts = {"url": server.url, "model": model, "ready_s": server.ready_s, "pid": server.pid}
    place.log.server({**facts, "told": reported, "limits": limits_told(card)})
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
        place.say(f"{place.cell.slug}: {level.label}, {_shown(plan.extent)}")
        began_s = driver.now_s()
        try:
            drive(driver, level, place.cell.workload.requests, plan.extent, plan.seed)
        finally:
            place.log.span(Span(level=level.label, began_s=began_s, ended_s=driver.now_s()))


def _shown(extent: Extent) -> str:
    parts = [] if extent.requests is None else [f"{extent.requests} requests"]
    return " or ".join(
        [*parts, *([] if extent.duration_s is None else [f"{extent.duration_s:g} s"])]
    )
