"""
The text front-end: text to phone ids. `frontend.phonemise` is the entry point.

Pure Python, no torch. The modules of a language are in its folder.
"""
