"""Reports: figures and HTML of measured numbers. This package draws and writes; it trains nothing."""
