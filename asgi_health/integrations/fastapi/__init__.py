"""FastAPI: the Health as a dependency, and the health paths in the OpenAPI document.

app.add_middleware(HealthMiddleware, checks={"database": ping})
add_openapi(app)

@app.get("/orders")
async def orders(health: Annotated[Health, Depends(get_health)]): ...
"""

from .dependency import get_health
from .openapi import add_openapi

__all__ = ["add_openapi", "get_health"]
