"""
The metrics of plug-in packages, by the entry point group "voxgate.metrics".
"""

import re
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import AudioMetric

GROUP = "voxgate.metrics"


def plugin_metrics() -> dict[str, tuple[AudioMetric, ...]]:
    """
    Return the metrics of plug-in packages, by the name of the entry point.

    A metric that names no package is assigned the plug-in's own, whose version then is part of
    the metric's. Raises HarnessError.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: _metrics(point) for point in points}


def _metrics(point: EntryPoint) -> tuple[AudioMetric, ...]:
    who = f"metric plug-in {point.name!r} ({point.value})"
    try:
        metrics = point.load()
    except Exception as error:  # plug-in code may raise anything
        raise HarnessError(
            f"{who} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"
        ) from error
    if not isinstance(metrics, tuple) or not all(
        isinstance(metric, AudioMetric) for metric in metrics
    ):
        raise HarnessError(
            f"{who} must be a tuple of AudioMetric, not {metrics!r:.80}; mend or uninstall it"
        )
    for metric in metrics:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", metric.metric.name):
            raise HarnessError(
                f"{who}: a metric's name is made of [a-z0-9_], not {metric.metric.name!r}; mend or "
                "uninstall it"
            )
    own = point.dist.name if point.dist is not None else ""
    return tuple(replace(metric, package=metric.package or own) for metric in metrics)
