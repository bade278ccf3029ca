"""What the host sees: register bus and event streams."""
