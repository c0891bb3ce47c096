"""
`python3 -I harness/ci/from_checkout.py VERB ...`: `voxgate.harness.ci` where nothing is installed,
from the checkout that this file lies in.
"""

import runpy
import sys
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    voxgate = ModuleType("voxgate")
    voxgate.__path__ = [str(Path(__file__).resolve().parents[2])]
    sys.modules["voxgate"] = voxgate
    runpy.run_module("voxgate.harness.ci", run_name="__main__", alter_sys=True)
