"""
What the stage passes of a cell's processes amount to: seconds by stage, one list per process. A pure function of records.

    synced.vocoder       a stage in the one synthesis of the pass, the device waited for at both of its ends
    synced.unaccounted   what that synthesis took beyond its stages
    alone.vocoder        the model of a stage by itself, each time that it ran

They are helpers: stored beside the times of the stages as the whole is measured, shown next to them, and never judged.
"""

from collections.abc import Sequence

from harness.sample import ProcessRecord, StagePass

SYNCED, ALONE = "synced.", "alone."
UNACCOUNTED = "unaccounted"


def stages_apart(processes: Sequence[ProcessRecord]) -> dict[str, dict[int, tuple[float, ...]]]:
    """Give name -> repeat -> seconds, in the order in which the stages passed; empty where no process told."""
    found: dict[str, dict[int, tuple[float, ...]]] = {}
    for process in processes:
        if isinstance(process.stages, StagePass):
            for name, seconds in _of(process.stages).items():
                found.setdefault(name, {})[process.repeat] = seconds
    return found


def _of(stages: StagePass) -> dict[str, tuple[float, ...]]:
    synced = {f"{SYNCED}{name}": (seconds,) for name, seconds in stages.stages_s.items()}
    alone = {f"{ALONE}{name}": several for name, several in stages.alone_s.items() if several}
    return {**synced, f"{SYNCED}{UNACCOUNTED}": (max(0.0, stages.unaccounted_s),), **alone}
