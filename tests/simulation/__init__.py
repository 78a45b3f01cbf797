"""Days in the life of a Health, on virtual time and from a seed: the promises are asserted after every step.

Set ASGI_HEALTH_SEED to the seed that a failure has printed to see it again.
"""
