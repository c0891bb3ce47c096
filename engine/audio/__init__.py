"""
Audio outside the models: the prompt recording as input, level and crossfades of the output.

numpy only.
"""
