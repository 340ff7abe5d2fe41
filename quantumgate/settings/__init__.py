"""Settings: the schema (floor 0), the loader from TOML and the sample writer (floor 3)."""
