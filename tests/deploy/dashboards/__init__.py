"""The dashboards of deploy/grafana, as tables of panels: `python -m tests.deploy.dashboards` writes their JSON."""
