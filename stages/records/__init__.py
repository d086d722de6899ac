"""What crosses a wall between stages: one module a file or table, its types, its path."""
