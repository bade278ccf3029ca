"""Event fabric: routers, mesh and time-step barrier."""
