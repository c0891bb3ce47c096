"""From audio files to scores: tasks, the process pool, the cache, transcripts, the ASR floor."""
