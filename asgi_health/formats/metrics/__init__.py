"""The metrics of an app: what they are, and how Prometheus reads them. Standard library only."""

from .exposition import OPENMETRICS, PROMETHEUS, Exposition, negotiate, number_text, render
from .families import AppFigures, CheckFigures, app_figures, check_figures, families
from .model import Distribution, Family, Metric, Point, Value

__all__ = [
    "OPENMETRICS",
    "PROMETHEUS",
    "AppFigures",
    "CheckFigures",
    "Distribution",
    "Exposition",
    "Family",
    "Metric",
    "Point",
    "Value",
    "app_figures",
    "check_figures",
    "families",
    "negotiate",
    "number_text",
    "render",
]
