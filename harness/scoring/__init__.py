"""
From audio files to scores: tasks, the process pool, the cache, transcripts, the recogniser's own
error floor.
"""
