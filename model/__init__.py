"""From a waveform to notes: everything that training and serving share.

The way of the data, one file a step::

    audio -> cqt -> network -> note_events -> midi / piano_roll / notes_csv

Nothing here knows the web, a queue, a database or an environment variable.
"""
