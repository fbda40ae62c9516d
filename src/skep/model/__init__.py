"""What things are: frozen data without I/O. May import nothing of skep but itself."""
