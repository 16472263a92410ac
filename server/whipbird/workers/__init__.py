"""Several processes that are one server: who starts them, and how each is told."""

from .context import RUNNING, Ports, Worker, WorkerState

__all__ = ["RUNNING", "Ports", "Worker", "WorkerState"]
