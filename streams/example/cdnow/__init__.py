"""The public CDNOW purchase log as events: retail purchases, played as `prescription.filled` (see README.md here)."""

import csv
import gzip
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from io import StringIO
from typing import Any, Final

FIRST_DAY: Final = date(1997, 1, 1)
LAST_DAY: Final = date(1998, 6, 30)
PURCHASES: Final = 69_659
CUSTOMERS: Final = 23_570


def purchases(shift_days: int = 0) -> Iterator[dict[str, Any]]:
    """Yield each purchase as a CloudEvent (a dict), by day; days shifted by `shift_days`."""
    packed = files(__package__).joinpath("purchases.csv.gz").read_bytes()
    for row in csv.DictReader(StringIO(gzip.decompress(packed).decode("ascii"))):
        day = FIRST_DAY + timedelta(days=int(row["day"]) + shift_days)
        yield {
            "specversion": "1.0",
            "id": f"row-{row['row']}",
            "source": "/cdnow",
            "type": "prescription.filled",
            "subject": f"patient:cdnow-{int(row['customer']):05d}",
            "time": day.isoformat(),
            "data": {"units": int(row["units"]), "amount": int(row["cents"]) / 100},
        }


def shift_to(today: date) -> int:
    """Say by how many days to shift so that the last purchase falls on `today`."""
    return (today - LAST_DAY).days
