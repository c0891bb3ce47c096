"""
The Spanish text front-end, called by `voxgate.engine.text.frontend` alone.

Spanish is written as it is spoken, so rules do what a dictionary does in English.
"""
