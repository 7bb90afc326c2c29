"""Edits of the code of a loss: what one slip may have changed in it."""
