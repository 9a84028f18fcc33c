"""What is told of a run: its record, its history, curves, and tables for the console."""
