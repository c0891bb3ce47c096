"""
The voices: a page to listen to every take of every utterance, and a page that asks blind whether
the difference is heard.

Static files that work from a disk and from any web server. `page.py` and `abx.py` write one page
each; the other files are what the two are made of. Judges nothing.
"""

from harness.report.listening.abx import abx_page
from harness.report.listening.page import listening_page

__all__ = ["abx_page", "listening_page"]
