"""What people write: JSON and YAML to the model, every fault at once with its place. May import model only."""
