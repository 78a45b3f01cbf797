"""The engine, and Health around it, with plain values and given moments: no event loop, no thread, no clock."""
