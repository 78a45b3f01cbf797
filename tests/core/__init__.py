"""The sans-IO heart, on bare values and virtual moments: no loop, no thread, no clock."""
