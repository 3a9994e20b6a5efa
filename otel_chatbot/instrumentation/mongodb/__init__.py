"""MongoDB (pymongo): commands, business documents, pools, transactions. `hooks` is the way in."""
