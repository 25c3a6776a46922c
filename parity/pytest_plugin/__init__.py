"""What the pytest plugin does once a test asks for it; pytest's own hooks are in `hooks`."""
