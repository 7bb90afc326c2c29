"""Claims: what a loss says it is, and what every loss of that kind obeys; one file per family."""
