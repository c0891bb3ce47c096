"""From phones with durations to a log-mel spectrogram, by flow matching."""
