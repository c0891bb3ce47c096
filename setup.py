"""
The packages of voxgate: the folder `harness/` is `voxgate.harness`, `engine/` is `voxgate.engine`,
`suites/` is `voxgate.suites`, and `harness/package/` is `voxgate` itself. Their places are in
pyproject.toml.
"""

from setuptools import find_packages, setup

INSIDE = find_packages(include=["harness*", "engine*"], exclude=["harness.package*"])

setup(packages=["voxgate", "voxgate.suites", *(f"voxgate.{name}" for name in INSIDE)])
