"""What an explanation costs, in each runtime and beside what users have today."""
