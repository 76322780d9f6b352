"""What turns data into a checkpoint, in the order of the work: prepare, augment, fit, evaluate, tune, publish."""
