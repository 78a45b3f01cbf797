"""What the ready-made checks share. Nothing here is public."""
