"""
The user's own networks of a suite, tried before anything is measured, and those of a run, located.
"""

from collections.abc import Mapping

from voxgate.harness.errors import HarnessError
from voxgate.harness.models.own_model import ModelFile, examine, files_of, locate, records_of
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.own_model import OwnModel, model_entries
from voxgate.harness.scoring.process_pool import Crashed, run_isolated

LIMIT_S = 120.0
"""Time in which a network must load, and hear two seconds twice."""

RecordedModels = dict[str, OwnModel]
LocatedModels = tuple[tuple[str, ModelFile | Missing], ...]


def recorded(models: object) -> RecordedModels:
    """Return what a run records of `Suite.models`. Raises HarnessError for an absent file."""
    return records_of(model_entries(models))


def check_models(models: object) -> RecordedModels:
    """
    Return what a run records of `Suite.models`; each is tried in a child process.

    Raises HarnessError for the first that is no network, or cannot score two seconds of noise.
    """
    files = files_of(model_entries(models))
    for index, fault in run_isolated(examine, files, 1, LIMIT_S):
        why = fault.reason if isinstance(fault, Crashed) else fault
        if why is not None:
            raise HarnessError(f"models: {files[index].name}: {why}")
    return {file.name: file.model for file in files}


def located(models: Mapping[str, OwnModel]) -> LocatedModels:
    """Return where a run's networks lie on this machine; Missing for those that do not."""
    return tuple((name, locate(name, model)) for name, model in models.items())
