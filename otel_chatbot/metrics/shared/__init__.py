"""What the processes of a run share in its folder: segments, the archive, the merge."""
