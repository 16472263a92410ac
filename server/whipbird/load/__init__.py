"""A load tool: many clients at once, of any WHIP or WHEP server."""

from .bench import Bench, BenchReport, Plan, Role, RoleReport
from .effort import Limit

__all__ = ["Bench", "BenchReport", "Limit", "Plan", "Role", "RoleReport"]
