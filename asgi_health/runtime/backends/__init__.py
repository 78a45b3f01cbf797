"""What the runtime needs from an event loop, implemented for asyncio and for trio."""
