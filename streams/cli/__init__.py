"""The command line: `segue --help`. Exit status 0 done, 1 the input is wrong, 2 usage, 3 a server is not reachable."""

import sys

from streams import native

# before anything imports `rules`
try:
    native.use()
except native.NotCompiled as error:
    sys.exit(str(error))
