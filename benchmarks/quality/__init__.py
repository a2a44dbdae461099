"""What fusion gains on simulated recordings, where it loses, and whether it knows."""
