"""
What holds for every test, in one process or in several side by side, and weights that more than one
folder uses.
"""

import os
import pathlib
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# taken away: a pytest that a test starts is an ordinary one
if os.environ.pop("PYTEST_XDIST_WORKER", ""):
    # There is a process per CPU already; threads in each of them would only wait for each other.
    # numpy and torch read this when they are imported, which is why it stands here and not in a
    # fixture.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if sys.version_info < (3, 11):
    # there pathlib keeps the functions of os that it found; tests replace some of them
    for _name in ("open", "replace", "rename", "unlink", "link", "mkdir", "rmdir", "chmod"):
        if getattr(pathlib._normal_accessor, _name, None) is getattr(os, _name):
            setattr(
                pathlib._normal_accessor, _name, lambda *a, n=_name, **k: getattr(os, n)(*a, **k)
            )

# a busy machine is no mistake of the code
settings.register_profile("any machine", parent=settings.default, deadline=None)
settings.load_profile("any machine")


@pytest.fixture(name="random_voice", scope="session")
def _random_voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The folder of a small checkpoint in the published layout, random, made by the function behind
    the users' command.
    """
    from voxgate.engine.weights.random_checkpoint import write_random_voice

    folder = tmp_path_factory.mktemp("published") / "random"
    write_random_voice(folder, small=True)
    return folder
