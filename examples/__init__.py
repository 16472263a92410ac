"""Applications for Whipbird, short enough to begin with: see docs/applications.md."""
