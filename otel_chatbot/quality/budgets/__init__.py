"""Budgets: what may be spent per hour, day and month, by whom, and what is answered beyond that."""
