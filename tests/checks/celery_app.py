"""The app of the worker of test_celery.py, which finds its broker in the environment."""

import os

from celery import Celery

app = Celery("tests", broker=os.environ["BROKER"])
