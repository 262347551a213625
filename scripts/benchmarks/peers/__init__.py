"""Other solvers, each set up as its users run it best; none is imported before a cell asks for it."""
