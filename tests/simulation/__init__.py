"""Days of a Health and an Engine in virtual time, from a random seed: the promises are checked after every step.

To repeat a failure, set ASGI_HEALTH_SEED to the seed that it has printed.
"""
