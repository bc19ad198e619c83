"""Reports: figures and HTML of measured numbers. Nothing is trained or measured here."""
