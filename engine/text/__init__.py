"""
The text front-end: English text to phone ids. `frontend.phonemise` is the entry point.

Pure Python, no torch, no files but its own two tables.
"""
