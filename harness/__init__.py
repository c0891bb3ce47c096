"""voxgate's harness: did this change make a voice engine slower or worse, and how sure are we?"""

TYPE_CHECKING = False  # of typing, whose import a command that is interrupted while it starts would have to wait for
if TYPE_CHECKING:
    from harness.suite import Suite

__all__ = ["Suite"]


def __getattr__(name: str) -> object:
    """Import what suites ask for when they do: a command that is interrupted while it starts has its guard up by then."""
    if name != "Suite":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness.suite import Suite

    return Suite
