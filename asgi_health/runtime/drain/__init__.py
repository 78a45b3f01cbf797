"""Takes the process out of the rotation before its server stops."""
