"""Where requests come in: thin. May import control, ports, specs, wire and model, never an adapter."""
