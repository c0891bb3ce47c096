"""What the target changes of the process that it runs in is changed back."""

import ctypes
import sys
from collections.abc import Iterator

import pytest

from voxgate.harness.targets.command.process import PR_SET_CHILD_SUBREAPER


@pytest.fixture(autouse=True)
def _no_adoption() -> Iterator[None]:
    yield
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
