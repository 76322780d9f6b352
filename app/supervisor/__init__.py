"""`amt serve`: the whole service on one machine, as one command."""
