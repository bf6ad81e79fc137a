"""Known faults of ports, each as a small edit of a node; and those whose size the recording itself tells."""
