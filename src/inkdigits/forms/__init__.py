"""Forms: a design in TOML, its pages in millimetres, the PDF that is printed."""
