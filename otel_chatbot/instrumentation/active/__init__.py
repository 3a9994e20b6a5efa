"""Active users and conversations: ids seen in a sliding window, over the processes and machines of an app."""
