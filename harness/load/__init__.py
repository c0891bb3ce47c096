"""
Many requests at once: what a server answers, how soon, for how long, and with how much memory.
`voxgate load`.
"""
