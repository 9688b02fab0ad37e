"""What was acquired: files, their headers and logs become frames, and frames find their tests."""
