"""From notes in seconds to notes in quarters: beats, metre, key, note values, voices and staves.

The way of the data, one file a step::

    notes -> beats -> metre -> quantise -> voices -> Rhythm -> quantized_midi, and whatever engraves it

Nothing here knows the network: it takes a list of `model.note.Note`, from wherever they come.
"""
