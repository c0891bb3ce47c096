"""
Locate a model file inside an installed Python package without importing that package.

Importing would run its code and need its dependencies, of which we use none: speechmos loads
librosa, Resemblyzer wants pkg_resources. A file is identified by its SHA-256 before a byte of it is
believed, so that the package's version in a record names the model.
"""

import hashlib
import importlib.util
from pathlib import Path

from voxgate.harness.records.measurement import Missing, how_to_install, not_installed


def packaged_file(package: str, inside: str, sha256: str) -> Path | Missing:
    """
    Return the path of the file `inside` the import package; Missing names the package to
    install.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return not_installed(package)
    path = Path(next(iter(spec.submodule_search_locations))) / inside
    if not path.is_file():
        return Missing(f"the installed {package} carries no {inside}; {how_to_install(package)}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        return Missing(
            f"{inside} of the installed {package} is another model (SHA-256 {digest[:8]}); "
            f"{how_to_install(package)}"
        )
    return path
