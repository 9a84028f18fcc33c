"""Random files of the language, held against PyTorch and onnxruntime from the text to the last number.

``python -m tests.random_graphs --count 20000 --seed 0`` runs them in bulk; ``--only SEED`` shows one.
"""
