"""The trained networks that come with numjaz, each with its card."""
