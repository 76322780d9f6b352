"""How well notes become notation: scores are played, heard, and written down again. See docs/notation.md."""
