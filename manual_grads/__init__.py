"""The document's network and its handwritten derivatives."""
