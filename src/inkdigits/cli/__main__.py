"""python -m inkdigits.cli: the same command."""

from inkdigits.cli import main

main()
