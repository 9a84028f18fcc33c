"""Values of a frozen part, computed once: whether that pays, in memory or in a file."""
