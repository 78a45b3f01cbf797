"""The log of asgi-health as JSON: a database fails and recovers."""

import asyncio
import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from asgi_health import Check, Health

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter("{levelname}{message}", style="{"))
logging.basicConfig(handlers=[handler], level=logging.INFO)

state = {"database works": True}


async def ping_database() -> bool:
    return state["database works"]


async def main() -> None:
    check = Check("database", ping_database, interval=0.1, retry_interval=0.1, timeout=0.1)
    async with Health([check]).running():
        await asyncio.sleep(0.2)
        state["database works"] = False
        await asyncio.sleep(0.5)
        state["database works"] = True
        await asyncio.sleep(0.3)


if __name__ == "__main__":
    asyncio.run(main())
