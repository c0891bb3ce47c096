"""The one exception that the harness raises for a user's mistake; the command line turns it into exit code 2."""


class HarnessError(ValueError):
    """Says in one line what is wrong, which value, and what to do next."""
