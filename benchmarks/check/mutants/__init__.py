"""Mutants of the catalogue: its definitions in plain PyTorch, each with one edit, and what the checker says of them."""
