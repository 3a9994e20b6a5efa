"""The HTTP clients through which models are asked, one file each: they find the calls, and read along."""
