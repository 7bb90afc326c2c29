"""The checks of the battery, one file a theme; importing a file enters its checks."""
