"""What runs the checks: the only rooms that know event loops and threads."""
