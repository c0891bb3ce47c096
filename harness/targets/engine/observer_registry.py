"""
Observers and option checks by pipeline: the harness's side of the engine's registry of pipelines.

A new pipeline needs one module here, with an observation of a synthesis and one check per option,
and its place in the table (or `register_observer`, from outside). Nothing else in the harness names
a pipeline. Imports no torch; an observer's module is imported when it is asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from voxgate.engine.config import PipelineConfig, options_of
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Request
from voxgate.harness.records.run import UNSEEN, OptionCheck
from voxgate.harness.targets.protocol import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one check observed, and whether the option was in effect."""

    observed: str
    in_effect: bool | None
    """None where nothing of it was observable."""
    reason: str


Check = Callable[[Options, Any], Observation]
"""From the options, and the record of an observed synthesis, to the result for one option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineObserver:
    """How to observe a pipeline."""

    observe: Callable[[Any, Request], Any]
    """Runs one request under observation; returns a record of it. Leaves the pipeline unchanged."""
    checks: Mapping[str, Check]
    """By option. An option without a check counts as not observable."""
    whole_reels: bool = False
    """Whether a reel's calls of the vocoder show how segments share the models."""


_PLACES = {
    "flow": "voxgate.harness.targets.engine.option_checks:OBSERVER",
    "token": "voxgate.harness.targets.engine.token_checks:OBSERVER",
    "infill": "voxgate.harness.targets.engine.infill:OBSERVER",
    "chatterbox": "voxgate.harness.targets.engine.chatterbox:OBSERVER",
    "conversion": "voxgate.harness.targets.engine.conversion_checks:OBSERVER",
    "rvc": "voxgate.harness.targets.engine.rvc_checks:OBSERVER",
}
"""Pipeline -> `module:NAME` of its PipelineObserver."""


def register_observer(pipeline: str, place: str) -> None:
    """Register the observer of a pipeline as `module:NAME`."""
    _PLACES[pipeline] = place


def observer_of(pipeline: str) -> PipelineObserver:
    """Import the observer of a pipeline. Raises HarnessError where there is none."""
    if pipeline not in _PLACES:
        raise HarnessError(
            f"pipeline {pipeline!r} has no observer, so none of its options could be checked; add "
            "one to harness/targets/engine/observer_registry.py"
        )
    module, _, name = _PLACES[pipeline].partition(":")
    observer: PipelineObserver = getattr(import_module(module), name)
    return observer


def check_effects(
    effective: Options,
    requested: Options,
    record: Any,
    checks: Mapping[str, Check],
    config: type[PipelineConfig],
) -> tuple[OptionCheck, ...]:
    """
    Compare every option with the record of an observed synthesis.

    Args:
        effective: all options as the engine says that it resolved them; a default is checked like
            a requested value.
        requested: those that the cell, the profile or the request named. They win over what the
            engine says, except where they left the choice to the engine.
        record: of the observed synthesis.
        checks: of the pipeline's options.
        config: declares the options, and the values that leave a choice to the engine.
    """
    specs = options_of(config)
    decided = {
        name: value
        for name, value in requested.items()
        if name not in specs or specs[name].auto is None or value != specs[name].auto
    }
    expected = {**effective, **decided}
    observed = [_checked(name, check, expected, record) for name, check in checks.items()]
    unchecked = [name for name in specs if name not in checks]
    return (*observed, *(_unobservable(name, expected) for name in unchecked))


def _checked(option: str, check: Check, expected: Options, record: Any) -> OptionCheck:
    observation = check(expected, record)
    return OptionCheck(
        option=option,
        requested=expected[option],
        observed=observation.observed,
        in_effect=observation.in_effect,
        reason=observation.reason,
    )


def _unobservable(option: str, expected: Options) -> OptionCheck:
    return OptionCheck(
        option=option,
        requested=expected[option],
        observed=UNSEEN,
        in_effect=None,
        reason="the pipeline's observer has no check of it",
    )
