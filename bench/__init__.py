"""Side-by-side measurements, one script per claim: skep against what a good operator would type."""
