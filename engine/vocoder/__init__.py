"""The vocoder: from a log-mel spectrogram to a waveform."""
