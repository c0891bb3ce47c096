"""
The embedded engine as a target: options in effect are observed from outside, one check per option.
"""
