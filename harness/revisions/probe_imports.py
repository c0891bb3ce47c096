"""
Print where packages would be imported from, in the environment of a worker.

`python -m voxgate.harness.revisions.probe_imports PROJECT PACKAGE...` is started exactly as a
worker is, so that its answer holds for workers. It prints one JSON object with each package's
folder (null where there is none), the installed toolchain, and the unmet requirements of PROJECT.
It imports the worker, so that a missing dependency of the harness shows.
"""

import importlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from voxgate.harness.machine.identity import toolchain
from voxgate.harness.revisions.requirements import required, unmet


def origin(package: str) -> str | None:
    """Return the folder (or file) that a package would be imported from, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return str(Path(next(iter(spec.submodule_search_locations))).resolve())
    return None if spec.origin is None else str(Path(spec.origin).resolve())


def main(arguments: Sequence[str]) -> int:
    """Print the answer."""
    importlib.import_module("voxgate.harness.runner.worker")
    project, *packages = arguments
    origins = {name: origin(name) for name in packages}
    missing = unmet(required(Path(project)))
    print(
        json.dumps({"packages": origins, "toolchain": toolchain(Path(project)), "unmet": missing})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
