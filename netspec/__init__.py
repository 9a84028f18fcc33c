"""netspec: describe a vision network in a short text file, and get everything else from it."""

__version__ = "0.1.0"
