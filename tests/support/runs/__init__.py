"""Applications with agents and tools that a test runs in the environment of their library."""
