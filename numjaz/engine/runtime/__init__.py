"""What runs a network fast: knows NumPy and `numjaz.planning` alone, so that an exported file can hold it."""
