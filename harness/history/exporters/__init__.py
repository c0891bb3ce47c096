"""
Writers of other formats, one a file: each turns what was chosen of a history into text or files.
They decide nothing.
"""
