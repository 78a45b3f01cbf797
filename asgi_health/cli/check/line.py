"""What one check said, as the process of the app writes it and the command prints it."""

from dataclasses import dataclass
from typing import Literal

Word = Literal["pass", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    name: str
    status: Word
    critical: bool
    milliseconds: float
    message: str

    @property
    def fails(self) -> bool:
        """Whether it closes the gate."""
        return self.critical and self.status == "fail"
