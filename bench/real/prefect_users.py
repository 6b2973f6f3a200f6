"""Users of Prefect's pages: they list by POST, and open what they found."""

import random

from locust import FastHttpUser, constant, task

LISTS = ("flows", "flow_runs", "task_runs", "deployments", "logs", "variables")
KINDS = ("flows", "flow_runs", "task_runs", "deployments", "variables")


class Visitor(FastHttpUser):
    """Asks for the next page as soon as it has one."""

    wait_time = constant(0)

    def on_start(self) -> None:
        self.ids = {}
        for kind in KINDS:
            found = self.client.post(f"/api/{kind}/filter", json={"limit": 50}).json()
            self.ids[kind] = [one["id"] for one in found]

    def get(self, kind: str, rest: str = "") -> None:
        path = f"/api/{kind}/{random.choice(self.ids[kind])}{rest}"
        self.client.get(path, name=f"/api/{kind}/{{id}}{rest}")

    @task(6)
    def lists(self) -> None:
        self.client.post(f"/api/{random.choice(LISTS)}/filter", json={"limit": 50})

    @task(1)
    def history(self) -> None:
        span = {
            "history_start": "2026-01-01T00:00:00Z",
            "history_end": "2026-01-02T00:00:00Z",
            "history_interval_seconds": 3600,
        }
        self.client.post("/api/flow_runs/history", json=span)

    @task(5)
    def opens(self) -> None:
        self.get(random.choice(KINDS))

    @task(1)
    def graph(self) -> None:
        self.get("flow_runs", "/graph-v2")

    @task(1)
    def counts(self) -> None:
        self.client.post("/api/flow_runs/count", json={})

    @task(1)
    def settings(self) -> None:
        self.client.get("/api/admin/settings")
