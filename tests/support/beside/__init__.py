"""Other tools beside ours, run in the environment `beside`."""
