"""
Readers of other files: one format a file, each gives entries. None of them writes into the history.
"""
