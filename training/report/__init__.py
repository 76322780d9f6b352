"""What ``python -m training evaluate --report`` adds to the scores: which errors, where, how they look and sound."""
