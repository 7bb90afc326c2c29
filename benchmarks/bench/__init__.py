"""Losses in time and memory against other libraries, the tutorials' snippets and the memory itself: `make bench`."""
