"""
Writers of other formats, one per file: each turns the chosen part of a history into text or files.
They decide nothing.
"""
