"""The classic lessons on real data: each a ``.net`` file, all of them one table. ``python -m examples.lessons --data DIR`` makes it."""
