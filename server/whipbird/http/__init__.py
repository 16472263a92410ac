"""What speaks HTTP: one module per resource."""
