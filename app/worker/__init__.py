"""The side that computes: Celery tasks around `model`."""
