"""The node on a board: asyncio, drivers' callers, and what its screen shows."""
