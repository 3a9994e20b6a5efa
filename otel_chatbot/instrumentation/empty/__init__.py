"""Why a figure is empty: which of the sixteen are still zero although there was traffic, the reason, and the remedy."""
