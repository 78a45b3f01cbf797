"""Alerts: one message when checks fail or the event loop is blocked, and one when that is over."""

from .alerts import Alerts
from .message import Incident, Message
from .ping import Ping
from .target import DeliveryError, Rejected, Target
from .webhook import Webhook

__all__ = ["Alerts", "DeliveryError", "Incident", "Message", "Ping", "Rejected", "Target", "Webhook"]
