"""What stored chats look like: the table of shapes, and how it is applied. Pure code that all databases share."""
