"""
Pages to listen to a run: every take of every utterance, and a blind test (ABX).

Static files that work from a disk and from any web server. `page.py` and `abx.py` write one page
each; `player.py` is the player of the listening page and of the page of a run; the other files hold
their parts. Judges nothing.
"""

from voxgate.harness.report.listening.abx import abx_page
from voxgate.harness.report.listening.page import listening_page

__all__ = ["abx_page", "listening_page"]
