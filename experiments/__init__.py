"""Programs that run the product many times, and write what they saw as JSON."""
