"""Events that belong together, in pieces that all their readers share."""

from collections.abc import Iterable

PIECE_SIZE = 32_768
"""Bytes that are sent at a time, and then others get their turn: the state of a thousand checks has a megabyte. One
event may be longer."""


class Batch:
    """Events that lead to one state.

    Args:
        moment: The moment of the state (monotonic seconds).
        events: The events.
    """

    __slots__ = ("_groups", "_pieces", "moment")

    def __init__(self, moment: float, events: Iterable[bytes]) -> None:
        self.moment = moment
        self._groups: list[list[bytes]] = []
        size = PIECE_SIZE
        for each in events:
            if size + len(each) > PIECE_SIZE:
                self._groups.append([])
                size = 0
            self._groups[-1].append(each)
            size += len(each)
        self._pieces: list[bytes | None] = [None] * len(self._groups)

    def __len__(self) -> int:
        return len(self._pieces)

    def piece(self, number: int) -> bytes:
        """Return one of its pieces, counted from 0. It is joined once, for the first reader."""
        piece = self._pieces[number]
        if piece is None:
            piece = self._pieces[number] = b"".join(self._groups[number])
        return piece
