"""
Check the targets of cells in the environments that they name, before anything is measured, and read
which versions are installed there.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import SPEAKER, Cell, Option
from voxgate.harness.targets.other_python.connection import (
    EngineAbroadError,
    EngineLaunch,
    EngineProcess,
)
from voxgate.harness.targets.other_python.find import find_environment, shown_environment

PROBE_S = 300.0
"""Importing the module of a target takes long where it imports the engine, which it should not."""
VERSIONS = (
    *("torch", "torchaudio", "numpy", "scipy", "onnxruntime", "onnxruntime-gpu", "tensorflow"),
    *("jax", "transformers", "tensorrt", "soundfile"),
)
"""Packages whose versions are recorded by name; all of them are in the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What an environment told."""

    versions: Mapping[str, object]
    origins: Mapping[str, str | None]
    """Package -> the folder that it would be imported from."""
    here: bool = True
    """Whether its paths are paths of this system; not those of a container."""


def check_there(
    target: str,
    words: tuple[str, ...],
    asked: Sequence[tuple[str, Mapping[str, Option]]],
    launch: EngineLaunch | None = None,
    packages: Iterable[str] = (),
    tree: Path | None = None,
) -> Probed:
    """
    Import a target in its environment, and check (pipeline, options) by it; in the folder `tree`,
    if it is not the working directory. Raises HarnessError, in
    one line, for an environment that cannot be used, and for what the target refuses.
    """
    launch = launch or find_environment(words)
    with tempfile.TemporaryDirectory() as folder:
        process = EngineProcess(launch, Path(folder) / "stderr", timeout_s=PROBE_S, folder=tree)
        try:
            options = [[pipeline, dict(values)] for pipeline, values in asked]
            said = {"target": target, "options": options, "versions": VERSIONS}
            answer, _ = process.ask("probe", **said, packages=list(packages))
            return process.checked(Probed, {**answer, "here": process.pid is not None})
        except EngineAbroadError as error:
            raise HarnessError(_why(target, launch, error)) from error
        finally:
            process.end()


def environment_facts(words: tuple[str, ...], probed: Probed) -> dict[str, object]:
    """Return the facts of a toolchain that an engine's environment adds."""
    facts: dict[str, Any] = {f"engine_{name}": told for name, told in probed.versions.items()}
    return {"engine_environment": shown_environment(words), **facts}


def options_of(cells: Iterable[Cell]) -> list[tuple[str, dict[str, Option]]]:
    """Return each different (pipeline, options) of cells and of their requests."""
    asked: dict[str, tuple[str, dict[str, Option]]] = {}
    for cell in cells:
        requests = cell.workload.requests
        extras = {tuple(sorted(request.options.items())) for request in requests}
        for request in requests:
            speakers = {segment.speaker for segment in request.segments}
            extras |= {tuple(sorted({**request.options, SPEAKER: s}.items())) for s in speakers}
        for extra in sorted(extras, key=str):
            options = {**cell.options, **dict(extra)}
            asked[f"{cell.pipeline} {sorted(options.items())}"] = (cell.pipeline, options)
    return list(asked.values())


def _why(target: str, launch: EngineLaunch, error: EngineAbroadError) -> str:
    """Return in one line why a target cannot be used in an environment, and what to do."""
    if error.module is not None:
        top = error.module.partition(".")[0]
        install = f"`{launch.install} {top}`" if launch.install else f"install {top} there"
        own = target.startswith((f"{top}.", f"{top}:"))
        place = f"; the project has no {top}.py or {top}/ either" if own else ""
        return (
            f"target {target!r} cannot be imported in environment {launch.label}: it has no module "
            f"{error.module!r}; {install}, or set PYTHONPATH{place}"
        )
    if error.failure.kind.value == "refused":
        return error.failure.reason
    return f"target {target!r} in environment {launch.label}: {error.failure.reason}"
