"""From quantised notes to a page: bars, values, spelling, MusicXML, engraving. Needs no torch.

`bars` -> `values` -> `layout` (with `spelling`) -> `beams` -> `musicxml` -> `engraving`; `files` runs them all.
"""
