"""Are the answers any good, and what do they cost: feedback of users, and the ledger that keeps its figures."""
