"""What holds for all tests, whichever of them are run."""

from hypothesis import settings

# How long an example takes says something of the machine, not of the code: the first one loads libraries.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
