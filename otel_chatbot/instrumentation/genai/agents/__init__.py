"""Runs of tools, agents and chains of langchain, langgraph and llama-index: one file per library, and what they share."""
