"""What happens to streams, told to a URL of the operator."""

from .delivery import Delivery
from .event import Event, EventType
from .outlet import Outlet
from .reporter import Reporter
from .sender import Sender

__all__ = ["Delivery", "Event", "EventType", "Outlet", "Reporter", "Sender"]
