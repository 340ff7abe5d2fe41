"""A second decoder of QG/1, written from docs/spec alone: it shares no code with the package, and proves the pages."""
