"""
The command `voxgate`, also as `python -m voxgate`.

What it is made of is imported inside the guard: a package that is absent, or Ctrl-C meanwhile, must
not end in a traceback with the exit code of a regression.
"""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command of this process."""
    try:
        code = _guarded()
    except KeyboardInterrupt:  # while the guard itself was imported
        sys.stderr.write("interrupted\n")
        code = INTERRUPTED
    if code == INTERRUPTED:
        # CPython notes an interrupt that left an exec (as of a dataclass), and would end by SIGINT;
        # another exec clears that
        exec("")  # noqa: S102
    sys.exit(code)


def _guarded() -> int:
    from voxgate.harness.errors import guarded, watched_output

    sys.stdout = watched_output(sys.stdout)
    return guarded("voxgate", _invoke)


def _invoke() -> int:
    from voxgate.harness.cli.main import invoke

    return invoke()


if __name__ == "__main__":
    main()
