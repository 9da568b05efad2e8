"""From arrays to pictures: maps over photos, volumes, signals and tables, with colours, marks, captions and scales."""
