"""`python -m htdl` is the command `htdl`."""

from htdl.cli.main import main

main()
