"""One network for several recordings: their windows are heard together, in one process that owns the GPU."""
