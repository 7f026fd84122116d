"""Write the JSON of every dashboard."""

from typing import Final

from tests.deploy.dashboards.audiences import AUDIENCES
from tests.deploy.dashboards.flow import FLOW

DASHBOARDS: Final = (FLOW, AUDIENCES)

if __name__ == "__main__":
    for dashboard in DASHBOARDS:
        dashboard.path.write_text(dashboard.text(), encoding="utf-8")
        print(dashboard.path)
