"""
What a request's `language` means to the judge: an ISO 639 code, whose region it does not hear.

The tag chooses the weights, the decoder's language token and the normaliser. It is never guessed from the audio: a wrong
guess would turn a mumbled English sentence into a fluent Welsh one.
"""

import re

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Written without spaces between words, so that their "words" are characters (Radford et al. 2022, appendix C)."""


def primary(tag: str) -> str:
    """Give the language of a tag: "es" of "es", "es-MX" and "ES_mx"; a name in words stays what it is."""
    return re.split("[-_]", tag.strip().lower(), maxsplit=1)[0]
