"""Turn a report into bytes. Pure: no clock, no event loop, and no text of a request is ever repeated."""
