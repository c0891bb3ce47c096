"""
The command `voxgate`, also as `python -m harness`.

What it is made of is imported inside the guard: a package that is absent, or Ctrl-C meanwhile, must not end in a traceback with
the exit code of a regression.
"""

import sys

from harness.crash import guarded, watched_output


def main() -> None:
    """Run the command of this process."""
    sys.stdout = watched_output(sys.stdout)
    sys.exit(guarded("voxgate", _invoke))


def _invoke() -> int:
    from harness.cli import invoke

    return invoke()


if __name__ == "__main__":
    main()
