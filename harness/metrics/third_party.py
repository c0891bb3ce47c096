"""
Metrics of other people's packages: every entry point of the group "voxgate.metrics" names a tuple of `AudioMetric`.

Nothing is loaded before it is asked for. A plug-in that cannot be used is an error that names it, not a metric less.
"""

import re
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from harness.errors import HarnessError
from harness.metrics.metric import AudioMetric

GROUP = "voxgate.metrics"


def offered() -> dict[str, tuple[AudioMetric, ...]]:
    """
    Give the metrics that installed packages offer, by the name of the entry point.

    A metric that names no package gets the plug-in's own, whose version then belongs to the metric's. Raises HarnessError.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: _metrics(point) for point in points}


def _metrics(point: EntryPoint) -> tuple[AudioMetric, ...]:
    who = f"metric plug-in {point.name!r} ({point.value})"
    try:
        found = point.load()
    except Exception as error:  # somebody else's code may raise anything
        raise HarnessError(f"{who} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it") from error
    if not isinstance(found, tuple) or not all(isinstance(each, AudioMetric) for each in found):
        raise HarnessError(f"{who} must be a tuple of AudioMetric, not {found!r:.80}; mend or uninstall it")
    for each in found:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", each.metric.name):
            raise HarnessError(f"{who}: a metric's name is made of [a-z0-9_], not {each.metric.name!r}; mend or uninstall it")
    own = point.dist.name if point.dist is not None else ""
    return tuple(replace(each, package=each.package or own) for each in found)
