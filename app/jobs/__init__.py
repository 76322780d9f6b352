"""The job table: what is true about every transcription."""
