"""Why a figure is empty: which of the sixteen are still zero although there was traffic, why, and what to do about it."""
