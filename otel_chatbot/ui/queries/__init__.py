"""What the pages ask: each module answers for one of them, from the viewer's file. No question reads a whole table."""
