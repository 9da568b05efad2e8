"""What becomes of picture files, odd ones and damaged ones: nothing is explained that was not read rightly."""
