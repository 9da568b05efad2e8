"""What people look at: photos in, predictions, overlays and maps out."""
