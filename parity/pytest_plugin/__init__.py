"""What the pytest plugin does once a test asks for it; `parity.pytest_plugin.hooks` holds pytest's hooks."""
