"""The parts that the processes of a run share through its folder: segments, the archive, the merge."""
