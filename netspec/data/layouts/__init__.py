"""What lies where: a file for each layout that data may have."""
