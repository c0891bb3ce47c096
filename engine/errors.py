"""The one exception that the engine raises for a user's mistake: bad text, bad options, bad weights."""


class EngineError(ValueError):
    """Says in one line what is wrong, which value, and what would work."""
