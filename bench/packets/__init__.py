"""What one packet to one viewer costs, without the sessions around it."""
