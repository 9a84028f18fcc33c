"""Where and in which numbers a training computes, on one device or on several."""
