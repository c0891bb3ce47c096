"""
Moments for people: an ISO time in UTC, shortened to the minute.
"""


def minute(created: str) -> str:
    """Shorten an ISO time in UTC: `2026-11-21 10:44 UTC`."""
    return f"{created[:16].replace('T', ' ')} UTC"
