"""What each library does for a task: one file per library, each imported only in its own process."""
