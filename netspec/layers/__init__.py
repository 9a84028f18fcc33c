"""The catalogue of layers: a file for each family, found by :func:`netspec.layer.layers`."""
