"""What the health endpoints answer: routing, authorisation, prepared answers, and the lifespan protocol."""
