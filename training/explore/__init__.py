"""``python -m training explore``: pictures of a prepared data set as the field looks at it."""
