"""The models that a running service knows: those of the checkpoint folder, and those that were added since."""
