"""
The plan of a load test: levels, duration, requests, and the cells of a suite that can be loaded.
Starts nothing.

A level of load: a number of clients that each wait for their response (closed), or a rate of
arrivals, whatever the server does (open).

The texts of a load: their classes of length, and the order in which they are requested.
"""

import math
import random
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option, Request, length_of
from voxgate.harness.suite.selection import matching_cells
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.targets.engine.target import served_pipelines
from voxgate.harness.targets.http import target
from voxgate.harness.targets.http.client import FORMS, Ask
from voxgate.harness.targets.registry import check_cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Either `clients` or `rate_per_s`."""

    clients: int | None = None
    rate_per_s: float | None = None

    @property
    def label(self) -> str:
        """Return the level's name for people and files: `closed-4`, `open-1.5`."""
        return f"closed-{self.clients}" if self.clients is not None else f"open-{self.rate_per_s:g}"


def level_load(label: str) -> tuple[float, str]:
    """
    Return the load of a level's label, and its unit.

    >>> level_load("closed-4"), level_load("open-1.5")
    ((4.0, 'clients'), (1.5, 'requests per second'))
    """
    kind, _, load = label.partition("-")
    return float(load), "clients" if kind == "closed" else "requests per second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The extent of a level: a duration, or a number of requests."""

    duration_s: float | None = None
    requests: int | None = None


def parse_levels(closed: str | None, rate_per_s: float | None) -> tuple[Level, ...]:
    """
    Parse `--closed 1,2,4` or `--open 1.5`. Raises HarnessError unless exactly one of them has a
    usable value.
    """
    if (closed is None) == (rate_per_s is None):
        raise HarnessError(
            "load needs --closed CLIENTS, e.g. 1,2,4, or --open RATE in requests per second: one "
            "of the two"
        )
    if rate_per_s is not None:
        if not 0.0 < rate_per_s < math.inf:
            raise HarnessError(f"--open must be requests per second, above 0, not {rate_per_s!r}")
        return (Level(rate_per_s=rate_per_s),)
    counts = [count.strip() for count in str(closed).split(",")]
    if not all(count.isdecimal() and 0 < int(count) <= 1000 for count in counts) or len(
        set(counts)
    ) < len(counts):
        raise HarnessError(
            "--closed must be numbers of clients from 1 to 1000, each once, e.g. 1,2,4; not "
            f"{closed!r}"
        )
    return tuple(Level(clients=int(count)) for count in counts)


def arrivals_s(rate_per_s: float, extent: Extent, seed: int) -> Iterator[float]:
    """
    Return the times at which requests arrive, in seconds from the start: a Poisson process, drawn
    before anything is sent.

    Because they are fixed beforehand, a server that stalls cannot make its own clients wait with
    their requests, which would hide the stall from every percentile (coordinated omission).
    """
    rng = np.random.default_rng(seed)
    instant_s, count = 0.0, 0
    while extent.requests is None or count < extent.requests:
        instant_s += float(rng.exponential(1.0 / rate_per_s))
        if extent.duration_s is not None and instant_s > extent.duration_s:
            return
        yield instant_s
        count += 1


SUFFIX = ".load"
"""Of the suite's name: a load is a run of a suite of its own, with a baseline of its own."""
LEVEL = "load"
"""The axis of that suite that is the level."""
LONGEST_SUITE = 95
"""Characters of a suite's name, so that the load's can name a file, too."""
TARGETS = ("engine", "http")
DURATION_S = 30.0
"""Default duration of a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The cells to load, and the levels of load."""

    suite: str
    levels: tuple[Level, ...]
    extent: Extent = field(default_factory=lambda: Extent(duration_s=DURATION_S))
    soak: bool = False
    limit_s: float | None = None
    """Time within which a response is useful."""
    url: str | None = None
    """Of a running server; None starts one for each cell."""
    only: tuple[str, ...] = ()
    profile: str = "cpu"
    whole: bool = False
    """Request whole audio, which our server synthesises in batches, instead of a stream."""
    form: str = "wav"
    seed: int = 0
    timeout_s: float = 60.0
    repeats: int = 1
    """Turns through all levels, each with a server of its own; fewer than some prove nothing."""
    server: Mapping[str, Option] = field(default_factory=dict)
    """Options of the server itself: `max_batch`, `window_ms`, `queue`."""

    def __post_init__(self) -> None:
        if self.soak and len(self.levels) != 1:
            raise HarnessError(
                "--soak holds one level for a long time; give --closed one number, or use --open"
            )
        if self.soak and self.repeats > 1:
            raise HarnessError("--soak holds one level once; leave --repeats out")
        if self.form not in FORMS or (self.form == "flac" and not self.whole):
            raise HarnessError(
                f"--form cannot be {self.form!r} here; wav and pcm can be streamed, flac only with "
                "--whole"
            )
        if self.url is not None and self.server:
            raise HarnessError(
                f"--{next(iter(self.server)).replace('_', '-')} sets up a server of ours; leave it "
                "or --url out"
            )


def command_line(plan: LoadPlan) -> str:
    """Return the command line that runs a plan again."""
    words = ["voxgate", "load", plan.suite]
    clients = [str(level.clients) for level in plan.levels if level.clients is not None]
    words += ["--closed", ",".join(clients)] if clients else []
    words += [] if clients else ["--open", f"{plan.levels[0].rate_per_s:g}"]
    given: list[tuple[str, object]] = [
        ("--duration", plan.extent.duration_s),
        ("--requests", plan.extent.requests),
        ("--repeats", plan.repeats),
        ("--url", plan.url),
        ("--profile", plan.profile),
        *(("--only", pattern) for pattern in plan.only),
        *((f"--{name.replace('_', '-')}", value) for name, value in plan.server.items()),
    ]
    for option, value in given:
        words += (
            []
            if value is None
            else [option, f"{value:g}" if isinstance(value, float) else str(value)]
        )
    return shlex.join([*words, *(["--whole"] if plan.whole else []), "--form", plan.form])


def chosen_cells(plan: LoadPlan, root: Path | None = None) -> tuple[Cell, ...]:
    """
    Return the cells to load, in the suite's order. Raises HarnessError for a suite that cannot be
    loaded over HTTP.
    """
    cells = load_suite(plan.suite, root).expand(root).cells
    check_cells(cells)
    chosen = matching_cells(cells, plan.only)
    foreign = sorted({cell.target for cell in chosen} - set(TARGETS))
    if foreign:
        raise HarnessError(
            f"suite {plan.suite} has target {foreign[0]}; load speaks HTTP, to target engine or "
            "http"
        )
    other = sorted(
        {cell.pipeline for cell in chosen if cell.target == "engine"} - set(served_pipelines())
    )
    if other:
        raise HarnessError(
            f"suite {plan.suite} has pipeline {other[0]}; python -m voxgate.engine serve speaks "
            f"with {', '.join(served_pipelines())}"
        )
    _check_requests(chosen[0])
    if len(chosen[0].suite) > LONGEST_SUITE:
        raise HarnessError(f"the suite's name has more than {LONGEST_SUITE} characters; shorten it")
    if plan.url is not None and len(chosen) > 1:
        slugs = ", ".join(cell.slug for cell in chosen)
        raise HarnessError(
            f"the server at --url is one configuration, the suite has {len(chosen)} cells; choose "
            f"with --only: {slugs}"
        )
    return chosen


SENT = ("speaker", "voice", "speed", "seed", "region", "byte_order")
"""Options of a request that the speech API carries."""


def _check_requests(cell: Cell) -> None:
    """Raise HarnessError for a request that the speech API cannot carry whole."""
    for request in cell.workload.requests:
        which = f"request {request.id} of workload {cell.workload.name}"
        if request.segments:
            raise HarnessError(
                f"{which} is a reel, and the speech API speaks none; use a workload without "
                "segments"
            )
        if request.source is not None:
            raise HarnessError(
                f"{which} has a source, and the speech API converts none; use a workload of texts"
            )
        unsent = sorted(set(request.options) - set(SENT)) if cell.target == "engine" else []
        if unsent:
            raise HarnessError(
                f"{which} sets {unsent[0]}, which the speech API has no field for; set it for the "
                "whole cell"
            )


def speech_request(plan: LoadPlan, cell: Cell, request: Request, model: str) -> Ask:
    """
    Return the HTTP request for a request of the workload. Options that our server was started with
    are not sent again.
    """
    options = {**(cell.options if cell.target == "http" else {}), **request.options}
    speed, seed, region = (options.get(name) for name in ("speed", "seed", "region"))
    return Ask(
        text=request.text,
        model=model,
        voice=str(options.get("voice") or options.get("speaker") or "") or None,
        form=plan.form,
        streamed=not plan.whole,
        speed=None if speed is None else float(speed),
        seed=None if seed is None else int(seed),
        region=None if region is None else str(region),
        byte_order=str(options.get("byte_order", "")),
    )


def unmet_options(requested: Mapping[str, Option], reported: Mapping[str, Option]) -> Sequence[str]:
    """
    Return the options that the server reports with another value than requested. Options that it
    does not report are unknown.
    """
    return [
        f"asked for {name}={value}, the server runs {reported[name]}"
        for name, value in requested.items()
        if reported.get(name, value) != value
    ]


def url_of(plan: LoadPlan, cell: Cell, environment: Mapping[str, str]) -> str | None:
    """
    Return the URL of the running server; None where one is to be started. Raises HarnessError where
    there must be one.
    """
    if cell.target == "engine":
        return plan.url
    url = plan.url or str(cell.options.get("url") or environment.get(target.URL, ""))
    if not url:
        raise HarnessError(
            f"suite {plan.suite} has target http, so a server must run already; give --url, or set "
            f"{target.URL}"
        )
    return url


def shuffled_requests(requests: Sequence[Request], seed: int) -> Iterator[Request]:
    """Yield the requests without end: every one once per pass, each pass in another order."""
    rng = random.Random(seed)
    while True:
        yield from rng.sample(requests, len(requests))


def one_of_each(requests: Sequence[Request]) -> tuple[Request, ...]:
    """Return the first request of every class of length that exists, to warm a server up with."""
    first: dict[str, Request] = {}
    for request in requests:
        first.setdefault(length_of(request.text), request)
    return tuple(first.values())
