"""Time and memory of losses compared with other libraries, tutorial snippets and memory bandwidth: `make bench`."""
