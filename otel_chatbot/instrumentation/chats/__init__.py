"""What chats look like, wherever they are stored: the table of shapes, and how it is applied. Pure, and shared by the databases."""
