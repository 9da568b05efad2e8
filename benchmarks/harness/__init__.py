"""What every benchmark uses: where and when it ran, records on disk, fresh processes, timing, plots."""
