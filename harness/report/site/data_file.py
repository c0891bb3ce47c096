"""
How data gets to the pages' scripts: as a script of one call, `voxgate.take(NAME, JSON.parse(TEXT))`.

A page that was opened from a disk may load scripts beside it but may not fetch files. The content is JSON inside a string and
not a literal: no text in it can be code, and `__proto__` is a key like any other. NaN and None are null.
"""

import orjson


def data_script(name: str, content: object) -> bytes:
    """Write the script. Arrays of numpy go as they are; a float32 costs half the digits, and a pixel needs no more."""
    text = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
    return b"voxgate.take(%s,JSON.parse(%s));\n" % (_literal(name), _literal(text))


def _literal(text: str) -> bytes:
    """Give a JavaScript string; `</` is broken up, so that it would be harmless inside a page too."""
    return orjson.dumps(text).replace(b"</", b"<\\/")
