"""
Readers of other files, one per format: each returns entries. None of them writes into the history.
"""
