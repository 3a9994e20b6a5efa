"""Redis (redis-py): commands, cache reads, pools. `hooks` is the way in."""
