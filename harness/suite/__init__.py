"""Suites and workloads: a suite file becomes cells, a workload becomes requests."""

import warnings
from importlib import import_module


def __getattr__(name: str) -> object:
    """
    Return what the module `voxgate.harness.suite` held before it became a folder. Goes with the
    next release.
    """
    if name not in ("Suite", "load_suite"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"voxgate.harness.suite.{name} is now voxgate.harness.suite.suite.{name}",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(import_module("voxgate.harness.suite.suite"), name)
