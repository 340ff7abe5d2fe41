"""Floor 4, the guests' door: what an extender's author imports, how extenders are found, started, fed and contained."""
