"""The acoustic model: from aligned phones to a log-mel spectrogram, by flow matching."""
