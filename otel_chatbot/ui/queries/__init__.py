"""Reads the data of the pages from the viewer's file, one module per page or list. No question reads a whole table."""
