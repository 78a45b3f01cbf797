"""Alerts: one message when checks fail or the event loop is blocked, and one when that is over."""

from .alerts import Alerts
from .message import Incident, Message
from .target import DeliveryError, Rejected, Target

__all__ = ["Alerts", "DeliveryError", "Incident", "Message", "Rejected", "Target"]
