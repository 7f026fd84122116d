"""Have tests ask the compiled rules: `python -m pytest -p tests.compiled …`, after `make native`."""

import os

os.environ["SEGUE_NATIVE"] = "1"

from streams import native  # noqa: E402

native.use()
