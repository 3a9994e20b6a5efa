"""`otel-chatbot doctor`: what is set up, what is missing, and what to do about it. `command` is the way in."""
