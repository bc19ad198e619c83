"""Made images: pages, corruptions, sweeps, outliers, letters. The reader and the service never import this package."""
