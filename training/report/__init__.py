"""What ``python -m training evaluate --report`` adds to the scores: which errors, where, and how they look and sound."""
