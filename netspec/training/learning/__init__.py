"""What moves the weights: optimiser, learning rates, the running mean, and figures that are watched."""
