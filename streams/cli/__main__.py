"""`python -m streams.cli`: the command `segue` where no script is installed."""

from streams.cli.main import main

main()
