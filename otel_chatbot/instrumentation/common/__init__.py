"""Code that several instrumentations share: chat turns, spans of clients, figures of pools, patches, the size of a cache."""
