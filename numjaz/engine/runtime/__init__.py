"""What runs a plan, and what an exported file is made of: it knows NumPy, and what knows NumPy alone."""
