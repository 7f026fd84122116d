"""The command line: `segue --help`. Exit status 0 done, 1 the input is wrong, 2 usage, 3 a server is not reachable."""
