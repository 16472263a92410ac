"""The HTTP resources, one module each, and their middlewares."""
