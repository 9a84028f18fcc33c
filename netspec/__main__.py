"""``python -m netspec``."""

from netspec.cli.main import main

main()
