"""`otel-chatbot doctor`: what is set up, what is missing, and what to do about it. `command` is the way in."""

from ...variables.mending import MENDING

MENDING.mend(sdk=True)  # before anything here imports the SDK
