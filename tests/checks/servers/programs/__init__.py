"""Programs that stand in for servers that no package brings. Each runs in a process of its own."""
