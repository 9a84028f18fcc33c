"""A run on disk: its files, its state, what did not change in it, and the way back to a net."""
