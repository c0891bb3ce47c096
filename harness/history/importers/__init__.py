"""
Readers of other files, one per format: each returns entries. Only `detect.py`, which finds the
reader, writes them into the history.
"""
