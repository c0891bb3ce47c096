"""
English text to phones: `frontend.phonemise` is the way in; pure Python, no torch, no files but its
own two tables.
"""
