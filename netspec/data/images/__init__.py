"""From image files to pixels, decoded once."""
