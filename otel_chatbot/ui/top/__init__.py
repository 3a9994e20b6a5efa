"""`otel-chatbot top`: the page "Now", the last turns and the errors in a terminal, by the questions of the viewer's pages."""
